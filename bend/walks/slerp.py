"""Great-circle arcs between keyframes (Shoemake 1985; for latents, White, arXiv 1609.04468).

A Gaussian z lies near a sphere of radius √dim. A straight line between two of them would pass through the inside, where
the network was not trained; an arc stays near the sphere. The norm changes linearly from one keyframe to the next, so
that keyframes of one norm give points of that norm.
"""

import numpy as np

from bend.errors import SettingsError
from bend.walks.course import Course, Floats, segments

__all__ = ["slerp"]

_SMALLEST_ANGLE = 1e-6  # below it sin θ loses its digits and the arc is a line to within rounding


def slerp(keyframes: Floats, t: Floats, course: Course) -> Floats:
    """Spherical interpolation, `(sin((1-u) θ) â + sin(u θ) b̂) / sin θ`, times the interpolated norm.

    Args:
        keyframes: `[K, dim]`.
        t: times in [0, 1], `[T]`.
        course: `loop` adds the way back to the first keyframe.

    Returns:
        Points `[T, dim]`.

    Raises:
        SettingsError: two neighbouring keyframes have opposite directions, or one is zero.
    """
    norms = np.linalg.norm(keyframes, axis=1, keepdims=True)
    if not norms.all():
        raise SettingsError("slerp cannot pass the origin; use --path linear")
    unit = keyframes / norms
    before, after, u = segments(len(keyframes), t, course)
    a, b = unit[before], unit[after]
    weight_a, weight_b = _arc_weights(_angle(a, b), u)
    return (weight_a * a + weight_b * b) * ((1 - u) * norms[before] + u * norms[after])


def _angle(a: Floats, b: Floats) -> Floats:
    """The angle between unit vectors `[T, dim]`, `[T, 1]`, exact near 0 and π too (Kahan)."""
    apart = np.linalg.norm(a - b, axis=1, keepdims=True)
    together = np.linalg.norm(a + b, axis=1, keepdims=True)
    theta: Floats = 2 * np.arctan2(apart, together)
    if (theta > np.pi - _SMALLEST_ANGLE).any():
        raise SettingsError(
            "there is no shortest arc between opposite keyframes; put another seed between them"
        )
    return theta


def _arc_weights(theta: Floats, u: Floats) -> tuple[Floats, Floats]:
    near = theta < _SMALLEST_ANGLE
    sine = np.sin(np.where(near, 1.0, theta))
    weight_a = np.where(near, 1 - u, np.sin((1 - u) * theta) / sine)
    weight_b = np.where(near, u, np.sin(u * theta) / sine)
    return weight_a, weight_b
