"""Random colour transforms, composed to one homogeneous 4×4 matrix an image (arXiv 2006.06676, appendix B.1).

Brightness, contrast, a flip of luma, rotation of hue about the grey axis, and saturation, in this order.
"""

import math

import torch
from torch import Tensor

from stylegan.augment.draws import Draws
from stylegan.augment.settings import AugmentSettings
from stylegan.device import send
from stylegan.errors import ConfigError

__all__ = ["apply_colour", "draw_colour"]

_RGB = 3


def draw_colour(settings: AugmentSettings, draws: Draws, p: float) -> Tensor:
    """Draw the colour transforms of a batch.

    Args:
        settings: which transforms, how strong.
        draws: the batch's random numbers.
        p: overall probability; each transform happens with `p` times its multiplier.

    Returns:
        `[N, 4, 4]` float64 on the CPU, on columns (r, g, b, 1).
    """
    identity = torch.eye(4, dtype=torch.float64)
    luma = torch.tensor([1, 1, 1, 0], dtype=torch.float64) / math.sqrt(_RGB)
    onto_luma = torch.outer(luma, luma)
    matrix = identity.repeat(draws.count, 1, 1)
    if settings.brightness > 0:
        offset = draws.normal() * settings.brightness_std * draws.happens(settings.brightness * p)
        matrix[:, :3, 3] = offset[:, None]
    if settings.contrast > 0:
        log_gain = draws.normal() * settings.contrast_std * draws.happens(settings.contrast * p)
        matrix[:, :3] *= torch.exp2(log_gain)[:, None, None]
    if settings.lumaflip > 0:
        flips = draws.integers(2) * draws.happens(settings.lumaflip * p)
        matrix = (identity - 2 * onto_luma * flips[:, None, None]) @ matrix
    if settings.hue > 0:
        angle = draws.symmetric() * (math.pi * settings.hue_max) * draws.happens(settings.hue * p)
        matrix = _rotation_about(luma[:3], angle) @ matrix
    if settings.saturation > 0:
        log_gain = draws.normal() * settings.saturation_std * draws.happens(settings.saturation * p)
        chroma_gain = torch.exp2(log_gain)[:, None, None]
        matrix = (onto_luma + (identity - onto_luma) * chroma_gain) @ matrix
    return matrix


def apply_colour(images: Tensor, matrix: Tensor) -> Tensor:
    """Transform each image's colours by its own matrix.

    Args:
        images: `[N, 3, H, W]`, or grey `[N, 1, H, W]`, which takes the mean of the matrix's three rows.
        matrix: `[N, 4, 4]` from `draw_colour`.

    Returns:
        Shape and dtype of `images`.

    Raises:
        ConfigError: images have neither 3 channels nor 1.
    """
    channels = images.shape[1]
    rows = send(matrix[:, :3].to(images.dtype), images.device)  # in this order: some devices know no float64
    if channels == 1:
        mean = rows.mean(dim=1)  # [N, 4]
        return images * mean[:, :3].sum(dim=1)[:, None, None, None] + mean[:, 3, None, None, None]
    if channels != _RGB:
        raise ConfigError(f"colour augmentation needs 1 or 3 channels, not {channels}; choose another pipe")
    pixels = torch.baddbmm(rows[:, :, 3:], rows[:, :, :3], images.flatten(2))  # [N, 3, H * W]
    return pixels.reshape(images.shape)


def _rotation_about(axis: Tensor, angle: Tensor) -> Tensor:
    """Rodrigues' rotation: `[N, 4, 4]` of angles `[N]`, radians, about a unit vector `[3]`."""
    x, y, z = axis.tolist()
    cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=angle.dtype)
    rotation = torch.eye(4, dtype=angle.dtype).repeat(len(angle), 1, 1)
    sine, versine = angle.sin()[:, None, None], (1 - angle.cos())[:, None, None]
    rotation[:, :3, :3] += sine * cross + versine * (cross @ cross)
    return rotation
