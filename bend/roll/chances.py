"""Draws, crosses and mutates random bends from a seed.

Bends are drawn from the table of bends: a value lies around the example of its row, sometimes far away, but never
outside the row's range. A new bend in the table is drawn without any change here.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bend.automation import Automation, Constant
from bend.bends.grammar import BendSpec, parse_bend
from bend.bends.masks import parse_mask
from bend.bends.row import Bend, MemoryBend, Parameter, WeightBend
from bend.bends.selection import All, Random, Selection, Top
from bend.bends.table import BENDS
from bend.errors import SettingsError
from stylegan.taps import Tap

__all__ = ["Chance", "breed", "draw"]

_MOST_BENDS = 4
_NUM_BENDS = ((1, 0.45), (2, 0.35), (3, 0.2))
_STILL = [name for name, row in BENDS.items() if not isinstance(row, MemoryBend)]
"""Bends that change a single picture."""
_PLACES = {"conv": 0.72, "torgb": 0.08, "const": 0.06, "affine": 0.06, "image": 0.04, "mapping": 0.04}
_MUTATION = 0.35
"""Probability that a value of a child moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """The result of one throw: bends in the order in which they act, and the truncation."""

    bends: tuple[BendSpec, ...]
    trunc: float = 1.0


def draw(rng: np.random.Generator, taps: Sequence[Tap]) -> Chance:
    """Throw once.

    Args:
        rng: the dice.
        taps: of the network to bend.
    """
    numbers, weights = zip(*_NUM_BENDS, strict=True)
    bends = [_draw_bend(rng, taps) for _ in range(rng.choice(numbers, p=weights))]
    return Chance(bends=tuple(bends), trunc=round(float(rng.uniform(0.7, 1.1)), 2))


def breed(rng: np.random.Generator, a: Chance, b: Chance, taps: Sequence[Tap]) -> Chance:
    """A child of two: each of their bends with even odds, some of them mutated, and sometimes a new one."""
    bends = [bend for bend in (*a.bends, *b.bends) if rng.random() < 0.5]
    if not bends:
        parent = a if rng.random() < 0.5 else b
        bends = [parent.bends[rng.integers(len(parent.bends))]]
    bends = [_mutate(rng, bend, taps) for bend in bends[:_MOST_BENDS]]
    if rng.random() < _MUTATION / 2 and len(bends) < _MOST_BENDS:
        bends.insert(int(rng.integers(len(bends) + 1)), _draw_bend(rng, taps))
    trunc = float(
        np.clip(rng.uniform(min(a.trunc, b.trunc), max(a.trunc, b.trunc)) + rng.normal(0, 0.05), 0.3, 1.5)
    )
    return Chance(bends=tuple(bends), trunc=round(trunc, 2))


def _draw_bend(rng: np.random.Generator, taps: Sequence[Tap]) -> BendSpec:
    """A random bend at a random tap, with a mask and a selection of channels only if they suit it."""
    while True:
        tap = _draw_tap(rng, taps)
        name = str(rng.choice(_STILL))
        row = BENDS[name]
        if not _suits(row, tap):
            continue
        is_spatial = tap.resolution is not None and not isinstance(row, WeightBend)
        try:
            return BendSpec(
                name=name,
                values=tuple(Constant(value) for value in _draw_values(rng, row)),
                tap=_spread(rng, tap),
                channels=_draw_channels(rng, tap),
                mask=parse_mask(_draw_mask(rng)) if is_spatial and rng.random() < 0.2 else None,
                mix=Constant(1.0 if rng.random() < 0.7 else round(float(rng.uniform(0.3, 0.9)), 2)),
            )
        except SettingsError:
            continue  # these settings do not go together


def _suits(row: Bend, tap: Tap) -> bool:
    if isinstance(row, WeightBend):
        return tap.kind in row.kinds
    if getattr(row, "is_spatial", False):
        return tap.resolution is not None
    return not tap.is_parameter


def _draw_tap(rng: np.random.Generator, taps: Sequence[Tap]) -> Tap:
    there = [kind for kind in _PLACES if any(tap.kind == kind for tap in taps)]
    odds = np.array([_PLACES[kind] for kind in there])
    kind = str(rng.choice(there, p=odds / odds.sum()))
    of_kind = [tap for tap in taps if tap.kind == kind]
    return of_kind[rng.integers(len(of_kind))]


def _spread(rng: np.random.Generator, tap: Tap) -> str:
    """The tap itself or, for a convolution, sometimes both of its resolution."""
    if tap.kind == "conv" and rng.random() < 0.25:
        return f"{tap.name.partition('.')[0]}.*"
    return tap.name


def _draw_channels(rng: np.random.Generator, tap: Tap) -> Selection:
    throw = rng.random()
    if tap.channels < 8 or throw < 0.45:
        return All()
    if throw < 0.85:
        return Random(round(float(rng.uniform(0.1, 0.7)), 2), int(rng.integers(1000)))
    return Top(int(rng.integers(1, max(tap.channels // 4, 2))))


def _draw_mask(rng: np.random.Generator) -> str:
    x, y = rng.uniform(0.3, 0.7, 2)
    width, height = rng.uniform(0.15, 0.45, 2)
    return f"ellipse:{x:.2f},{y:.2f},{width:.2f},{height:.2f}"


def _draw_values(rng: np.random.Generator, row: Bend) -> list[float]:
    neutral = row.neutral or (0.0,) * len(row.parameters)
    return [
        _draw_value(rng, parameter, rest, shown)
        for parameter, rest, shown in zip(row.parameters, neutral, row.example, strict=True)
    ]


def _draw_value(rng: np.random.Generator, parameter: Parameter, neutral: float, example: float) -> float:
    if parameter.name == "seed":
        return float(rng.integers(1000))
    if parameter.name == "degrees":
        return float(rng.integers(-180, 181))
    if (parameter.low, parameter.high) == (0, 1):
        return round(float(rng.uniform(0.05, 0.95)), 2)
    if not math.isfinite(neutral) or abs(neutral) > 1e3:
        neutral = 0.0
    away = (example - neutral) * float(np.exp(rng.normal(0, 0.6)))
    if parameter.low < neutral - abs(away) and rng.random() < 0.4:
        away = -away
    return _legal(parameter, neutral + away)


def _mutate(rng: np.random.Generator, bend: BendSpec, taps: Sequence[Tap]) -> BendSpec:
    values: list[Automation] = []
    for parameter, value in zip(bend.row.parameters, bend.values, strict=True):
        if isinstance(value, Constant) and rng.random() < _MUTATION:
            moved = (
                float(rng.integers(1000))
                if parameter.name == "seed"
                else value.value * float(np.exp(rng.normal(0, 0.4)))
            )
            values.append(Constant(_legal(parameter, moved)))
        else:
            values.append(value)
    child = dataclasses.replace(bend, values=tuple(values))
    if rng.random() < _MUTATION / 2:
        near = [tap for tap in taps if tap.kind == "conv" and _suits(bend.row, tap)]
        if near:
            child = dataclasses.replace(child, tap=near[rng.integers(len(near))].name, channels=All())
    return parse_bend(str(child))  # exactly as its recipe will spell it


def _legal(parameter: Parameter, value: float) -> float:
    value = float(np.clip(value, parameter.low, parameter.high))
    return float(round(value)) if parameter.is_whole else float(f"{value:.3g}")
