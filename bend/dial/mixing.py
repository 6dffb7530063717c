"""Mixes several networks of one architecture into one, layer by layer.

    theta_l = (1 - y_l) base_l + y_l bent_l

A network stays aligned with its base through a fine-tuning (StyleAlign, arXiv 2110.11323), so that mixes of the two,
and extrapolations beyond them, still draw. Layers are mixed one by one (layer swapping, arXiv 2010.05334), and so are
buffers such as `w_avg`. `amount` says how much of each layer, `play` when.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from bend.errors import SettingsError
from stylegan.generator import Generator

__all__ = [
    "LayerAmount",
    "State",
    "layer_of",
    "layers_of",
    "mix",
    "put_back",
    "refuse_strangers",
    "restored",
    "shares_of",
    "state_of",
    "weighted",
]

State: TypeAlias = Mapping[str, Tensor]
LayerAmount: TypeAlias = Callable[[str], float]
"""From the name of a layer (`mapping`, `b32.conv0`, `b4.const`) to how much of the bent network it takes."""


def layer_of(key: str) -> str:
    """The layer that a tensor of a generator's state dict belongs to: `mapping`, `b32.conv0`, `b4.const`, `b8`."""
    parts = key.split(".")
    if parts[0] != "synthesis":
        return parts[0]
    named = parts[1:3] if len(parts) > 3 or parts[2] == "const" else parts[1:2]
    return ".".join(named)


def layers_of(G: nn.Module) -> list[str]:
    """Every layer of a generator by name, in order."""
    return list(dict.fromkeys(layer_of(key) for key in G.state_dict()))


def refuse_strangers(first: Generator, other: Generator, names: tuple[str, str]) -> None:
    """Refuse two generators that cannot be mixed.

    Args:
        first: a generator.
        other: another one.
        names: of the two, for the message.

    Raises:
        SettingsError: their architectures differ; says in what.
    """
    one, two = _flat(first.init_kwargs), _flat(other.init_kwargs)
    differing = [key for key in sorted(one.keys() | two.keys()) if one.get(key) != two.get(key)]
    shapes, others = ({k: tuple(v.shape) for k, v in G.state_dict().items()} for G in (first, other))
    if shapes == others:
        return  # arguments may be spelled differently and mean the same
    if differing:
        what = "; ".join(
            f"{key} is {one.get(key, 'left out')} and {two.get(key, 'left out')}" for key in differing
        )
    else:
        key = next(key for key in [*shapes, *others] if shapes.get(key) != others.get(key))
        what = f"{key} is {shapes.get(key, 'absent')} and {others.get(key, 'absent')}"
    raise SettingsError(
        f"{names[0]} and {names[1]} cannot be mixed: {what}; take two networks bent from one base"
    )


def shares_of(num: int, shares: Sequence[float] | None) -> tuple[float, ...]:
    """The share of each of `num` bent networks: those given, or equal ones for None.

    Raises:
        SettingsError: not one share for each network.
    """
    if shares is None:
        return (1 / num,) * num
    if len(shares) != num:
        raise SettingsError(f"{num} bent networks, but {len(shares)} shares; give --mix one for each")
    return tuple(shares)


def weighted(base: State, bents: Sequence[State], shares: Sequence[float]) -> State:
    """Several bents as one: `base + Σ share_i (bent_i - base)`; a single one with a share of 1 is given back itself.

    Args:
        base: the network that they were bent from.
        bents: state dicts of the same shapes.
        shares: one a bent; they need not add up to 1.
    """
    if len(bents) == 1 and shares[0] == 1:
        return bents[0]
    rest = 1 - sum(shares)
    return {
        key: sum((share * bent[key] for share, bent in zip(shares, bents, strict=True)), rest * value)
        for key, value in base.items()
    }


@torch.no_grad()
def mix(G: nn.Module, base: State, bent: State, amount: LayerAmount) -> None:
    """Set every tensor of `G` to `(1 - y) base + y bent`, y by layer; exact where y is 0 or 1.

    Args:
        G: written to in place.
        base: state dict of the same shapes, on the device of `G`, sharing no memory with it.
        bent: likewise.
        amount: y by layer, of any size: beyond 0 to 1 is overdrive.
    """
    amounts: dict[str, float] = {}
    for key, tensor in G.state_dict().items():
        layer = layer_of(key)
        if layer not in amounts:
            amounts[layer] = amount(layer)
        tensor.copy_(torch.lerp(base[key], bent[key], amounts[layer]))


def state_of(G: Generator, device: torch.device | None = None) -> State:
    """A copy of the weights and buffers of a generator; on its own device if None."""
    return {key: value.detach().to(device, copy=True) for key, value in G.state_dict().items()}


@torch.no_grad()
def put_back(G: Generator, state: State) -> None:
    """Copy weights into a generator, in place."""
    for key, tensor in G.state_dict().items():
        tensor.copy_(state[key])


@contextlib.contextmanager
def restored(G: Generator) -> Iterator[State]:
    """Put the weights of a generator back at the end of the block; yields a copy of them."""
    own = state_of(G)
    try:
        yield own
    finally:
        put_back(G, own)


def _flat(arguments: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in arguments.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
