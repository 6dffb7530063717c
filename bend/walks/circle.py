"""One turn on a circle: `z = a + r (sin τ u + cos τ v)`, with u and v made orthonormal by Gram-Schmidt.

With two keyframes it is the great circle about the origin through both directions, starting at the first. With three
it is a small circle about the first, in the plane of the other two. There u and v are also made orthogonal to a, which
the bare formula does not require: every point then has the norm √(|a|² + r²), so that a Gaussian latent keeps its
distance from the origin, as with slerp.
"""

import numpy as np

from bend.errors import SettingsError
from bend.walks.course import Course, Floats

__all__ = ["circle"]


def circle(keyframes: Floats, t: Floats, course: Course) -> Floats:
    """Points on the circle, always closed.

    Args:
        keyframes: `[2, dim]`, start and direction, or `[3, dim]`, centre and two directions.
        t: times in [0, 1], one turn, `[T]`.
        course: `radius` as a share of the centre's norm; the great circle has its start's norm.

    Returns:
        Points `[T, dim]`.

    Raises:
        SettingsError: keyframes that span no circle.
    """
    if len(keyframes) == 2:
        centre = np.zeros_like(keyframes[0])
        radius = float(np.linalg.norm(keyframes[0]))
        v, u = _orthonormal(keyframes)
    else:
        centre = keyframes[0]
        radius = course.radius * float(np.linalg.norm(centre))
        _, u, v = _orthonormal(keyframes)
    turn = 2 * np.pi * np.asarray(t, dtype=np.float64)[:, None]
    return centre + radius * (np.sin(turn) * u + np.cos(turn) * v)


def _orthonormal(vectors: Floats) -> list[Floats]:
    """Gram-Schmidt, in order and modified (each projection is taken off before the next is measured)."""
    basis: list[Floats] = []
    for vector in vectors:
        rest = vector.astype(np.float64)
        for known in basis:
            rest = rest - (rest @ known) * known
        length = np.linalg.norm(rest)
        if length <= 1e-9 * np.linalg.norm(vector):
            raise SettingsError(
                "these seeds span no circle, since their latents lie on a line; use other seeds"
            )
        basis.append(rest / length)
    return basis
