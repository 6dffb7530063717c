"""How far the dial is turned: one number for the whole network, one for each layer, or either over time.

    0.7                    in all layers
    0s:0, 5s:1             over time, as `bend.automation` reads it
    b4=0, b64=1            0 in the 4×4 block, 1 in the 64×64 block, interpolated by depth between them
    b8=0.2, b32.torgb=1    single layers, too; `mapping` is one, and follows the lowest block if not named

A swap is 0 below a resolution and 1 from it on; a logistic blend `1 / (1 + exp(-(l - mid) / width))` passes smoothly,
l being log2 of the resolution. An amount may turn either of them up and down as a whole.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bend.automation import Automation, Constant, parse, split
from bend.errors import SettingsError

__all__ = ["Amount", "parse_amount", "parse_logistic"]

_BLOCK = re.compile(r"b(\d+)(\..+)?")
_PAIR = re.compile(r"\s*([a-z][\w.]*)\s*=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much of the bent network each layer takes, over time.

    Attributes:
        overall: multiplies everything.
        layers: by the name of a block (`b32`), a layer (`b32.conv0`) or `mapping`.
        swap: the resolution from which on the network is the bent one; None for no swap.
        logistic: the middle of a logistic blend, as a resolution, and its width in octaves; None for none.
    """

    overall: Automation = field(default_factory=lambda: Constant(1.0))
    layers: tuple[tuple[str, Automation], ...] = ()
    swap: int | None = None
    logistic: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if sum([bool(self.layers), self.swap is not None, self.logistic is not None]) > 1:
            raise SettingsError(
                "amounts by layer, --swap and --logistic each say what every layer takes; choose one"
            )
        if self.swap is not None and (self.swap < 4 or self.swap & (self.swap - 1)):
            raise SettingsError(f"--swap {self.swap}: no resolution of a network; give 4, 8, 16, …")
        if self.logistic is not None and not (self.logistic[0] > 0 and self.logistic[1] > 0):
            raise SettingsError("--logistic takes a resolution and octaves above 0, such as 16:0.5")

    @property
    def varies(self) -> bool:
        """Whether it changes over time."""
        return self.overall.varies or any(automation.varies for _, automation in self.layers)

    def at(self, seconds: float) -> "LayerAmounts":
        """The amounts at a moment of a film."""
        return LayerAmounts(
            overall=self.overall.at(seconds),
            layers={name: automation.at(seconds) for name, automation in self.layers},
            swap=self.swap,
            logistic=self.logistic,
        )

    def check(self, layers: Sequence[str]) -> None:
        """Refuse what a network with these layers does not have.

        Raises:
            SettingsError: a name that is not a layer, or a swap beyond the network's resolution.
        """
        blocks = sorted({layer.partition(".")[0] for layer in layers if layer.startswith("b")}, key=_depth)
        known = {*layers, *blocks}
        for name, _ in self.layers:
            if name not in known:
                raise SettingsError(
                    f"{name} is not a layer of this network; it has mapping, {', '.join(blocks)}"
                )
        if self.swap is not None and f"b{self.swap}" not in blocks:
            raise SettingsError(f"--swap {self.swap}: this network's blocks are {', '.join(blocks)}")

    def __str__(self) -> str:
        if self.layers:
            return ",".join(f"{name}={automation}" for name, automation in self.layers)
        return str(self.overall)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerAmounts:
    """The amounts at one moment; called with the name of a layer."""

    overall: float
    layers: Mapping[str, float]
    swap: int | None
    logistic: tuple[float, float] | None

    def __call__(self, layer: str) -> float:
        return self.overall * self._shape(layer)

    def _shape(self, layer: str) -> float:
        if layer in self.layers:
            return self.layers[layer]
        depth = _depth(layer)
        if self.swap is not None:
            return float(depth >= math.log2(self.swap))
        if self.logistic is not None:
            mid, width = self.logistic
            return 1 / (1 + math.exp(min(-(depth - math.log2(mid)) / width, 700)))
        marks = sorted((_depth(name), value) for name, value in self.layers.items() if _is_block(name))
        if not marks:
            return 0.0 if self.layers else 1.0
        return float(np.interp(depth, [at for at, _ in marks], [value for _, value in marks]))


def parse_amount(text: str) -> Amount:
    """Read an amount in the grammar of this module, without a swap or a logistic blend.

    Raises:
        SettingsError: it cannot be read.
    """
    pairs: list[str] = []
    for part in split(text):
        if _PAIR.fullmatch(part) or not pairs:
            pairs.append(part)
        else:
            pairs[-1] += f",{part}"  # a comma of keyframes, not one between layers
    matches = [_PAIR.fullmatch(pair) for pair in pairs]
    if not any(matches):
        return Amount(overall=parse(text))
    layers = []
    for pair, match in zip(pairs, matches, strict=True):
        if match is None:
            raise SettingsError(f"{pair!r} names no layer; write b4=0,b64=1")
        layers.append((match[1], parse(match[2])))
    return Amount(layers=tuple(layers))


def parse_logistic(text: str) -> tuple[float, float]:
    """Read `RESOLUTION:OCTAVES` of a logistic blend; OCTAVES is 0.5 if left out.

    Raises:
        SettingsError: it cannot be read.
    """
    mid, _, width = text.partition(":")
    try:
        return float(mid), float(width or 0.5)
    except ValueError:
        raise SettingsError(
            f"{text!r} is not a logistic blend; write RESOLUTION:OCTAVES, such as 16:0.5"
        ) from None


def _is_block(name: str) -> bool:
    match = _BLOCK.fullmatch(name)
    return match is not None and match[2] is None


def _depth(layer: str) -> float:
    """log2 of the resolution of a layer; the mapping, which has none, counts as the lowest block."""
    match = _BLOCK.fullmatch(layer)
    return math.log2(int(match[1])) if match else 2.0
