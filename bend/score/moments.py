"""Finds moments of a run that are worth looking at, on its curves.

knee: where d0 over log kimg bends from breaking fast to breaking slowly (Kneedle, Satopää et al. 2011).
crossing: where the pictures are as far from the base's as from the data's, each relative to its own range.
richest: the greatest d0 × diversity.
last: the last snapshot before the collapse, which is a diversity below a third of the base's.

They are suggestions for a person to choose from. All functions work on plain lists; a moment is None if the curves do
not show it, or not yet.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "COLLAPSED",
    "MOMENTS",
    "Curve",
    "collapse",
    "crossing",
    "find_moments",
    "knee",
    "last",
    "log_places",
    "richest",
]

COLLAPSED = 1 / 3
"""The share of the base's diversity below which a network has collapsed."""
MOMENTS = ("knee", "crossing", "richest", "last")
_SHARPEST_FLAT = 0.05  # a curve has no knee if it rises above its chord by less than this share of its height


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The measures of one kind of weights over a run, by kimg, the first at 0 kimg.

    Attributes:
        kimg: thousands of pictures seen, rising.
        d0: distance from home.
        d1: kernel distance to the pictures.
        diversity: mean distance of two pictures.
        away: the distance of the data's pictures from the base's: what d0 becomes if nothing of the base is left.
    """

    kimg: Sequence[float]
    d0: Sequence[float]
    d1: Sequence[float]
    diversity: Sequence[float]
    away: float


def find_moments(curve: Curve) -> dict[str, int | None]:
    """Every moment by name, as an index into the curve."""
    return {"knee": knee(curve), "crossing": crossing(curve), "richest": richest(curve), "last": last(curve)}


def knee(curve: Curve) -> int | None:
    """Where d0 over log kimg (`log_places`) lies highest above the chord from its first point to its greatest.

    Only a curve that has begun to flatten has a knee, so at least one point must follow it.
    """
    x = log_places(curve.kimg)
    if len(x) < 3:
        return None
    low, high = min(curve.d0), max(curve.d0)
    if high <= low:
        return None
    width = x[-1] - x[0]
    above = [(d0 - low) / (high - low) - (at - x[0]) / width for d0, at in zip(curve.d0, x, strict=True)]
    best = max(range(len(above)), key=above.__getitem__)
    return best if above[best] > _SHARPEST_FLAT and 0 < best < len(x) - 1 else None


def crossing(curve: Curve) -> int | None:
    """The first snapshot at which d0, as a share of its range, is no less than d1 as a share of its own.

    The range of d0 is `away`, that of d1 its value for the base. Both are known from the start, so that a run in
    progress crosses where the finished one will.
    """
    home = curve.d1[0] if curve.d1 else 0.0
    if curve.away <= 0 or home <= 0:
        return None
    for index, (d0, d1) in enumerate(zip(curve.d0, curve.d1, strict=True)):
        if index and d0 / curve.away >= d1 / home:
            return index
    return None


def richest(curve: Curve) -> int | None:
    """The greatest d0 × diversity; None while nothing has moved."""
    products = [d0 * diversity for d0, diversity in zip(curve.d0, curve.diversity, strict=True)]
    best = max(range(len(products)), key=products.__getitem__, default=0)
    return best if products and products[best] > 0 else None


def collapse(curve: Curve) -> int | None:
    """The first snapshot whose diversity is below `COLLAPSED` of the base's; None if there is none."""
    for index, diversity in enumerate(curve.diversity):
        if not diversity >= curve.diversity[0] * COLLAPSED:
            return index
    return None


def last(curve: Curve) -> int | None:
    """The last snapshot before the collapse; None if there is none."""
    first_bad = collapse(curve)
    return None if not first_bad else first_bad - 1


def log_places(kimg: Sequence[float], least_step: float = 0.0) -> list[float]:
    """Log2 of each moment, rising.

    The base, at 0 kimg, has no logarithm: it is placed as far before the first snapshot as that is before the second,
    but at least `least_step`.
    """
    logs = [math.log2(k) for k in kimg if k > 0]
    step = logs[1] - logs[0] if len(logs) > 1 else 1.0
    first = logs[0] - max(step, least_step) if logs else 0.0
    return [first] * (len(kimg) - len(logs)) + logs
