"""The dial: a play that turns a network from its base to the bent network, and beyond.

For every picture the weights are mixed again and put back afterwards, so that a dial works in any render and with any
bends. The maths is in `mixing`, the amounts are in `amount`.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bend.dial.amount import Amount
from bend.dial.mixing import (
    State,
    layers_of,
    mix,
    refuse_strangers,
    restored,
    shares_of,
    state_of,
    weighted,
)
from bend.latents import device_of
from bend.play import Moment
from stylegan.checkpoint import load_network
from stylegan.generator import Generator

__all__ = ["Dial", "open_dial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """A play on the first bent network.

    Attributes:
        base: the weights at 0, on the device of the network, and not sharing memory with any network.
        others: the weights of further bents, likewise.
        shares: of the bents, the network's own first.
        amount: how far the dial is turned.
    """

    base: State
    amount: Amount
    others: tuple[State, ...] = ()
    shares: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        shares_of(1 + len(self.others), self.shares)

    @property
    def varies(self) -> bool:
        """Whether the amount changes over time."""
        return self.amount.varies

    @contextlib.contextmanager
    def during(self, G: Generator, moment: Moment) -> Iterator[None]:
        """Mix the weights of `G` for as long as the context lasts."""
        with restored(G) as own:
            self._mix(G, own, moment.seconds)
            yield

    def set(self, G: Generator, seconds: float) -> None:
        """Mix the weights of `G` for good, as they are at `seconds` of a film."""
        self._mix(G, state_of(G), seconds)

    def _mix(self, G: Generator, own: State, seconds: float) -> None:
        bent = weighted(self.base, [own, *self.others], self.shares)
        mix(G, self.base, bent, self.amount.at(seconds))


def open_dial(
    G: Generator,
    base: str,
    amount: Amount,
    *,
    network: str,
    weights: str = "ema",
    others: Sequence[str] = (),
    shares: Sequence[float] | None = None,
) -> Dial:
    """A dial between networks by name.

    Args:
        G: the first bent network, which will be played on.
        base: the network at 0: a name, file, run folder or RUN@KIMG.
        amount: how far the dial is turned.
        network: the name of `G`, for messages.
        weights: `ema` or `raw`, of all networks.
        others: further bents, by name.
        shares: of the bents, the first one's first; equal ones if None.

    Raises:
        SettingsError: architectures differ, or an amount names a layer that is not there.
        StyleganError: a network cannot be read.
    """
    amount.check(layers_of(G))
    states = []
    for name in (base, *others):
        other = load_network(name).generator(weights)
        refuse_strangers(G, other, (network, name))
        states.append(state_of(other, device_of(G)))
    return Dial(
        base=states[0],
        others=tuple(states[1:]),
        shares=shares_of(1 + len(others), shares),
        amount=amount,
    )
