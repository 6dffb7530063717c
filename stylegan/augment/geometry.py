"""Random pixel blitting and geometric transforms, composed to one matrix an image (arXiv 2006.06676, app. B).

A matrix maps a position in the changed image to the position in the given one where its value comes from,
both in pixels from the image's centre, x right and y down; that is the inverse of what happens to the image,
so each new transform is multiplied from the right, inverted. Moving the pixels is left to `resample`.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylegan.augment.draws import Draws
from stylegan.augment.settings import AugmentSettings

__all__ = ["draw_inverse"]

# On a few numbers NumPy takes a fraction of torch's time, and there are dozens of such operations a batch.
Array = NDArray[np.float64]


def draw_inverse(settings: AugmentSettings, draws: Draws, p: float, height: int, width: int) -> Tensor:
    """Draw the geometric transforms of a batch.

    Args:
        settings: which transforms, how strong.
        draws: the batch's random numbers.
        p: overall probability; each transform happens with `p` times its multiplier.
        height: of the images, pixels.
        width: of the images, pixels.

    Returns:
        `[N, 3, 3]` float64 on the CPU, from positions in the result to positions in the image; exactly the
        identity where nothing happens.
    """
    inverse = np.tile(np.eye(3), (draws.count, 1, 1))
    size = np.array([width, height], dtype=np.float64)
    _blit(inverse, settings, draws, p, size)
    _transform(inverse, settings, draws, p, size)
    return torch.from_numpy(inverse)


def _blit(inverse: Array, settings: AugmentSettings, draws: Draws, p: float, size: Array) -> None:
    """Mirror, quarter turns, shifts by whole pixels."""
    if settings.xflip > 0:
        flips = (draws.integers(2) * draws.happens(settings.xflip * p)).numpy()
        _scale(inverse, 1 - 2 * flips, np.ones_like(flips))
    if settings.rotate90 > 0:
        turns = (draws.integers(4) * draws.happens(settings.rotate90 * p)).numpy() * (math.pi / 2)
        _turn(inverse, np.cos(turns).round(), np.sin(turns).round())
    if settings.xint > 0:
        shift = (draws.symmetric(2).numpy() * settings.xint_max * size).round()
        _move(inverse, -shift * draws.happens(settings.xint * p).numpy()[:, None])


def _transform(inverse: Array, settings: AugmentSettings, draws: Draws, p: float, size: Array) -> None:
    """Scale, rotate, stretch, rotate again, shift by fractions of a pixel."""
    # Two rotations, so that the stretch has any direction; together they happen with the probability asked
    # for.
    p_rotate = 1 - math.sqrt(1 - min(settings.rotate * p, 1))
    if settings.scale > 0:
        log_scale = (draws.normal() * settings.scale_std * draws.happens(settings.scale * p)).numpy()
        _scale(inverse, np.exp2(-log_scale), np.exp2(-log_scale))
    if settings.rotate > 0:
        _rotate(inverse, _draw_angle(settings, draws, p_rotate))
    if settings.aniso > 0:
        log_scale = (draws.normal() * settings.aniso_std * draws.happens(settings.aniso * p)).numpy()
        _scale(inverse, np.exp2(-log_scale), np.exp2(log_scale))
    if settings.rotate > 0 and draws.percentile is None:  # at a percentile the second rotation is nought
        _rotate(inverse, _draw_angle(settings, draws, p_rotate))
    if settings.xfrac > 0:
        shift = draws.normal(2).numpy() * settings.xfrac_std * size
        _move(inverse, -shift * draws.happens(settings.xfrac * p).numpy()[:, None])


def _draw_angle(settings: AugmentSettings, draws: Draws, p_rotate: float) -> Array:
    return draws.symmetric().numpy() * (math.pi * settings.rotate_max) * draws.happens(p_rotate).numpy()


def _scale(maps: Array, x: Array, y: Array) -> None:
    """Multiply maps `[N, 3, 3]` from the right by scalings, of factors `[N]`."""
    maps[:, :, 0] *= x[:, None]
    maps[:, :, 1] *= y[:, None]


def _rotate(maps: Array, angle: Array) -> None:
    """The same by rotations, of angles `[N]`, radians."""
    _turn(maps, np.cos(angle), np.sin(angle))


def _turn(maps: Array, cosine: Array, sine: Array) -> None:
    c, s, x, y = cosine[:, None], sine[:, None], maps[:, :, 0].copy(), maps[:, :, 1].copy()
    maps[:, :, 0] = x * c + y * s
    maps[:, :, 1] = y * c - x * s


def _move(maps: Array, by: Array) -> None:
    """The same by shifts `[N, 2]`, pixels."""
    maps[:, :, 2] += maps[:, :, 0] * by[:, :1] + maps[:, :, 1] * by[:, 1:]
