"""The timing of walks: keyframes at given times, and frames evenly spaced by how different they look.

A walk runs over [0, 1]. The first says at which of these times its keyframes lie, the second which of them each frame
shows.
"""

from collections.abc import Callable

import numpy as np

from bend.walks.course import Floats, times

__all__ = ["even_clock", "knots_at"]

# The number of steps in which a path is measured: finer than its frames, within limits.
_FINE, _FEWEST_STEPS, _MOST_STEPS = 2, 96, 480
_ROUNDS = 2


def knots_at(when: Floats, loop: bool) -> Floats:
    """The knots of a walk that passes each keyframe at that keyframe's own time.

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

    The path is measured in fine steps, and its arc length is inverted. Steps from frame to frame cut corners, so they
    are then measured too, and made equally long, `_ROUNDS` times.

    Args:
        measure: from rising times `[M]` in [0, 1] to the distances from each to the next, `[M - 1]`, never negative.
        num_frames: number of frames.
        closed: whether the last frame is one step before the first.

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
    """The length of the path up to each point, from 0; it always rises a little, so that it has an inverse."""
    length = np.concatenate([[0.0], np.cumsum(distances)])
    return length + np.linspace(0, 1e-9 * length[-1], len(length))
