"""When a walk is where: keyframes at times of their own, and frames evenly spaced in what is seen.

A walk runs over [0, 1]. The first says at which times of these its keyframes stand, the second which of them each frame
shows.
"""

from collections.abc import Callable

import numpy as np

from bend.walks.course import Floats, times

__all__ = ["even_clock", "knots_at"]

# Steps in which a path is measured: finer than its frames, yet not without end.
_FINE, _FEWEST_STEPS, _MOST_STEPS = 2, 96, 480
_ROUNDS = 2


def knots_at(when: Floats, loop: bool) -> Floats:
    """The knots of a walk whose keyframes are passed at their own times.

    Args:
        when: times of the keyframes, rising, in any unit, `[K]`, K at least 2; the first is the film's start, the last
            its end. In a loop the way back to the first takes as long as the others do on average.
        loop: whether the walk is closed.

    Returns:
        As `Course.knots`.
    """
    knots = when - when[0]
    if loop:
        knots = np.append(knots, knots[-1] * len(when) / (len(when) - 1))
    return knots / knots[-1]


def even_clock(measure: Callable[[Floats], Floats], num_frames: int, closed: bool) -> Floats:
    """Times at which frames lie equally far apart along a path.

    The path is measured in fine steps, and its arc length inverted; then the steps from frame to frame themselves are
    measured, which cut corners, and stretched to one length, as often as `_ROUNDS`.

    Args:
        measure: given rising times `[M]` in [0, 1], the distances from each to the next, `[M - 1]`, never negative.
        num_frames: frames wanted.
        closed: whether the last frame lies one step before the first again.

    Returns:
        Times in [0, 1], `[num_frames]`, never falling; evenly spaced ones where the path stands still.
    """
    fine = np.linspace(0, 1, min(max(_FINE * num_frames, _FEWEST_STEPS), _MOST_STEPS) + 1)
    length = _cumulated(measure(fine))
    even = times(num_frames, closed)
    if length[-1] <= 0:
        return even
    along = even  # where each frame is, as a share of the length
    for _ in range(_ROUNDS if num_frames > 2 else 0):
        ends = np.append(along, 1.0) if closed else along
        walked = _cumulated(measure(np.interp(ends * length[-1], length, fine)))
        along = np.interp(even * walked[-1], walked, ends)
    return np.interp(along * length[-1], length, fine)


def _cumulated(distances: Floats) -> Floats:
    """The way walked up to each point, from 0; rising even where nothing moves, so that it has an inverse."""
    length = np.concatenate([[0.0], np.cumsum(distances)])
    return length + np.linspace(0, 1e-9 * length[-1], len(length))
