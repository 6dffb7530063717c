"""A cubic spline through the keyframes: speed and acceleration are continuous, also where a loop closes.

The C² interpolating spline (de Boor, A Practical Guide to Splines, ch. IV), its knots where the keyframes' times are:
periodic for a loop, with natural ends otherwise. Weights of the keyframes sum to one, so the path commutes with
truncation.
"""

import numpy as np

from bend.walks.course import Course, Floats, segments

__all__ = ["spline"]


def spline(keyframes: Floats, t: Floats, course: Course) -> Floats:
    """The spline's points at `t`.

    On a segment of length h from a to b with second derivatives p and q at its ends,
    `(1-u) a + u b + h² ((1-u)³ - (1-u)) p/6 + h² (u³ - u) q/6`.

    Args:
        keyframes: `[K, dim]`.
        t: times in [0, 1], `[T]`.
        course: `loop` makes the spline periodic.

    Returns:
        Points `[T, dim]`.
    """
    lengths = np.ones(len(keyframes)) if course.knots is None else np.diff(course.knots)
    curvature = _second_derivatives(keyframes, lengths, course.loop)
    before, after, u = segments(len(keyframes), t, course)
    v = 1 - u
    bow = (v**3 - v) * curvature[before] + (u**3 - u) * curvature[after]
    return v * keyframes[before] + u * keyframes[after] + lengths[before, None] ** 2 * bow / 6


def _second_derivatives(keyframes: Floats, lengths: Floats, loop: bool) -> Floats:
    """Solve `g m[i-1] + 2 (g + h) m[i] + h m[i+1] = 6 ((y[i+1] - y[i]) / h - (y[i] - y[i-1]) / g)`, m `[K, dim]`.

    g is the length of the segment before keyframe i, h of that behind it. Natural ends are 0.
    """
    num = len(keyframes)
    system = np.zeros([num, num])
    bends = np.zeros_like(keyframes)
    for i in range(num) if loop else range(1, num - 1):
        before, after = (i - 1) % num, (i + 1) % num
        # += since in a loop of one or two keyframes the neighbours are one and the same.
        g, h = lengths[before], lengths[i]
        system[i, i] += 2 * (g + h)
        system[i, before] += g
        system[i, after] += h
        bends[i] = 6 * ((keyframes[after] - keyframes[i]) / h - (keyframes[i] - keyframes[before]) / g)
    if not loop:
        system[0, 0] = system[-1, -1] = 1
    return np.linalg.solve(system, bends).astype(np.float64)
