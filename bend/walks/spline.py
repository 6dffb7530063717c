"""A cubic spline through the keyframes: speed and acceleration are continuous, also where a loop closes.

The C² interpolating spline on evenly spaced knots (de Boor, A Practical Guide to Splines, ch. IV): periodic
for a loop, with natural ends otherwise. Weights of the keyframes sum to one, so the path commutes with
truncation.
"""

import numpy as np

from bend.walks.course import Course, Floats, segments

__all__ = ["spline"]


def spline(keyframes: Floats, t: Floats, course: Course) -> Floats:
    """The spline's points at `t`.

    On a segment from a to b with second derivatives p and q at its ends,
    `(1-u) a + u b + ((1-u)³ - (1-u)) p/6 + (u³ - u) q/6`.

    Args:
        keyframes: `[K, dim]`.
        t: times in [0, 1], `[T]`.
        course: `loop` makes the spline periodic.

    Returns:
        Points `[T, dim]`.
    """
    curvature = _second_derivatives(keyframes, course.loop)
    before, after, u = segments(len(keyframes), t, course.loop)
    v = 1 - u
    bow = (v**3 - v) * curvature[before] + (u**3 - u) * curvature[after]
    return v * keyframes[before] + u * keyframes[after] + bow / 6


def _second_derivatives(keyframes: Floats, loop: bool) -> Floats:
    """Solve `m[i-1] + 4 m[i] + m[i+1] = 6 (y[i-1] - 2 y[i] + y[i+1])`, m `[K, dim]`; natural ends are 0."""
    num = len(keyframes)
    system = np.zeros([num, num])
    bends = np.zeros_like(keyframes)
    for i in range(num) if loop else range(1, num - 1):
        before, after = (i - 1) % num, (i + 1) % num
        # += since in a loop of one or two keyframes the neighbours are one and the same.
        system[i, i] += 4
        system[i, before] += 1
        system[i, after] += 1
        bends[i] = 6 * (keyframes[before] - 2 * keyframes[i] + keyframes[after])
    if not loop:
        system[0, 0] = system[-1, -1] = 1
    return np.linalg.solve(system, bends).astype(np.float64)
