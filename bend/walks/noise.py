"""A closed, organic wander: every latent dimension follows its own smooth noise, read along a circle.

The field is two-dimensional gradient noise (Perlin, Improving Noise, 2002): unit gradients on an integer lattice,
blended by the quintic fade. A circle in it returns to its start, so the loop closes exactly, and a larger diameter
crosses more cells and wanders further. Simplex noise only pays in more than two dimensions. Each latent dimension has
its own gradients and its own position of the circle: with one position for all, every dimension would be zero together
at each lattice point. The noise is scaled to unit variance, so that the points are as far from their centre as a
Gaussian latent is from the origin.
"""

import numpy as np
from numpy.typing import NDArray

from bend.walks.course import Course, Floats

__all__ = ["gradient_noise", "noise"]

# Variance of the field at a random place: 4 ∫f² ∫f² x² over [0, 1], f = 1 - fade (the test integrates it).
_VARIANCE = 0.046531150427254316


def noise(keyframes: Floats, t: Floats, course: Course) -> Floats:
    """Wander about the mean of the keyframes, always closed.

    Args:
        keyframes: `[K, dim]`; their mean is the centre.
        t: times in [0, 1], one turn, `[T]`.
        course: `seed` and `diameter` of the field, `amount` as a share of the keyframes' root mean square.

    Returns:
        Points `[T, dim]`.
    """
    turn = 2 * np.pi * np.asarray(t, dtype=np.float64)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1) * (course.diameter / 2)
    reach = course.amount * float(np.sqrt(np.mean(np.square(keyframes))))
    return keyframes.mean(axis=0) + reach * gradient_noise(ring, keyframes.shape[1], course)


def gradient_noise(ring: Floats, dim: int, course: Course) -> Floats:
    """Unit-variance gradient noise of `dim` independent fields.

    Args:
        ring: places `[T, 2]` within `course.diameter / 2` of the origin, in lattice cells.
        dim: number of fields.
        course: `seed`, and the `diameter` that the lattice must hold.

    Returns:
        `[T, dim]`.
    """
    rng = np.random.RandomState(course.seed)
    cells = int(np.ceil(course.diameter)) + 2
    angles = rng.uniform(0, 2 * np.pi, [cells + 1, cells + 1, dim])
    places = ring[:, None, :] + rng.uniform(0, 1, [dim, 2]) + course.diameter / 2  # [T, dim, 2]
    cell = np.floor(places).astype(np.intp)
    offset = places - cell
    fade = offset**3 * (offset * (offset * 6 - 15) + 10)
    corners = [_corner(angles, cell, offset, x, y) for y in (0, 1) for x in (0, 1)]
    top = corners[0] + fade[..., 0] * (corners[1] - corners[0])
    bottom = corners[2] + fade[..., 0] * (corners[3] - corners[2])
    return (top + fade[..., 1] * (bottom - top)) / np.sqrt(_VARIANCE)


def _corner(angles: Floats, cell: NDArray[np.intp], offset: Floats, x: int, y: int) -> Floats:
    """The ramp of one lattice corner, gradient · (place - corner), `[T, dim]`."""
    angle = angles[cell[..., 0] + x, cell[..., 1] + y, np.arange(angles.shape[2])]
    return np.cos(angle) * (offset[..., 0] - x) + np.sin(angle) * (offset[..., 1] - y)
