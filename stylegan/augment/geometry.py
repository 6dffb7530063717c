"""Random pixel blitting and geometric transforms, composed to one matrix an image (arXiv 2006.06676, app. B).

A matrix maps a position in the changed image to the position in the given one where its value comes from,
both in pixels from the image's centre, x right and y down; that is the inverse of what happens to the image,
so each new transform is multiplied from the right, inverted. Moving the pixels is left to `resample`.
"""

import math

import torch
from torch import Tensor

from stylegan.augment.draws import Draws
from stylegan.augment.settings import AugmentSettings

__all__ = ["draw_inverse"]


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
    inverse = torch.eye(3, dtype=torch.float64).repeat(draws.count, 1, 1)
    size = torch.tensor([width, height], dtype=torch.float64)
    inverse = _blit(inverse, settings, draws, p, size)
    return _transform(inverse, settings, draws, p, size)


def _blit(inverse: Tensor, settings: AugmentSettings, draws: Draws, p: float, size: Tensor) -> Tensor:
    """Mirror, quarter turns, shifts by whole pixels."""
    if settings.xflip > 0:
        flips = draws.integers(2) * draws.happens(settings.xflip * p)
        inverse = inverse @ _scaling(1 - 2 * flips, torch.ones_like(flips))
    if settings.rotate90 > 0:
        turns = draws.integers(4) * draws.happens(settings.rotate90 * p)
        inverse = inverse @ _rotation(turns * (math.pi / 2)).round()
    if settings.xint > 0:
        shift = (draws.symmetric(2) * settings.xint_max * size).round()
        inverse = inverse @ _translation(-shift * draws.happens(settings.xint * p)[:, None])
    return inverse


def _transform(inverse: Tensor, settings: AugmentSettings, draws: Draws, p: float, size: Tensor) -> Tensor:
    """Scale, rotate, stretch, rotate again, shift by fractions of a pixel."""
    # Two rotations, so that the stretch has any direction; together they happen with the probability asked
    # for.
    p_rotate = 1 - math.sqrt(1 - min(settings.rotate * p, 1))
    if settings.scale > 0:
        log_scale = draws.normal() * settings.scale_std * draws.happens(settings.scale * p)
        inverse = inverse @ _scaling(torch.exp2(-log_scale), torch.exp2(-log_scale))
    if settings.rotate > 0:
        inverse = inverse @ _rotation(_draw_angle(settings, draws, p_rotate))
    if settings.aniso > 0:
        log_scale = draws.normal() * settings.aniso_std * draws.happens(settings.aniso * p)
        inverse = inverse @ _scaling(torch.exp2(-log_scale), torch.exp2(log_scale))
    if settings.rotate > 0 and draws.percentile is None:  # at a percentile the second rotation is nought
        inverse = inverse @ _rotation(_draw_angle(settings, draws, p_rotate))
    if settings.xfrac > 0:
        shift = draws.normal(2) * settings.xfrac_std * size
        inverse = inverse @ _translation(-shift * draws.happens(settings.xfrac * p)[:, None])
    return inverse


def _draw_angle(settings: AugmentSettings, draws: Draws, p_rotate: float) -> Tensor:
    return draws.symmetric() * (math.pi * settings.rotate_max) * draws.happens(p_rotate)


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    """`[N, 3, 3]` of factors `[N]`."""
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], dim=1))


def _rotation(angle: Tensor) -> Tensor:
    """`[N, 3, 3]` of angles `[N]`, radians."""
    c, s, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    return torch.stack([c, -s, zero, s, c, zero, zero, zero, one], dim=1).reshape(-1, 3, 3)


def _translation(shift: Tensor) -> Tensor:
    """`[N, 3, 3]` of shifts `[N, 2]`, pixels."""
    matrix = torch.eye(3, dtype=shift.dtype).repeat(len(shift), 1, 1)
    matrix[:, :2, 2] = shift
    return matrix
