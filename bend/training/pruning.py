"""Which snapshots of a run to keep: not the latest ones, but those that differ.

A run is a path through pictures. Taking away the snapshot whose two neighbours are nearest to one another shortens the
path least, so that one goes first, again and again, until few enough are left (the idea of Visvalingam & Whyatt 1993
for lines on maps). The ends always stay, and what is worth sparing goes last.
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
    """The moments to do without, in the order in which they go.

    Args:
        moments: of the snapshots that there are, rising.
        apart: how different the pictures of two moments are.
        keep: how many may stay, at least 2.
        spared: these go only once nothing else is left.
        vital: these stay, even where more than `keep` do then.
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
