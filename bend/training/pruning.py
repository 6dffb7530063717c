"""Chooses which snapshots of a run to keep: not the latest ones, but those that differ most.

A run is a path through pictures. Removing the snapshot whose two neighbours are closest to each other changes the path
least, so that one is removed, again and again, until few enough are left (as Visvalingam & Whyatt 1993 simplify lines
on maps). The first and last snapshots always stay.
"""

from collections.abc import Callable, Collection, Sequence

__all__ = ["choose_removals"]


def choose_removals(
    moments: Sequence[float],
    apart: Callable[[float, float], float],
    keep: int,
    *,
    spared: Collection[float] = (),
    vital: Collection[float] = (),
) -> list[float]:
    """The moments whose snapshots to remove, in that order.

    Args:
        moments: of all snapshots, rising.
        apart: how different the pictures of two moments are.
        keep: how many may stay, at least 2.
        spared: these are removed only when no others are left.
        vital: these always stay, even if there are more than `keep`.
    """
    left = list(moments)
    gone: list[float] = []
    while len(left) > keep:
        inner = [place for place in range(1, len(left) - 1) if left[place] not in vital]
        plain = [place for place in inner if left[place] not in spared]
        candidates = plain or inner
        if not candidates:
            break
        place = min(candidates, key=lambda i: (apart(left[i - 1], left[i + 1]), left[i]))
        gone.append(left.pop(place))
    return gone
