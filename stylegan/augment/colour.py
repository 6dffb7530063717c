"""Random colour transforms, composed to one homogeneous 4×4 matrix an image (arXiv 2006.06676, appendix B.1).

Brightness, contrast, a flip of luma, rotation of hue about the grey axis, and saturation, in this order.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylegan.augment.draws import Draws
from stylegan.augment.settings import AugmentSettings
from stylegan.device import send
from stylegan.errors import ConfigError

__all__ = ["apply_colour", "draw_colour"]

# In NumPy for the same reason as geometry's maps.
Array = NDArray[np.float64]

_RGB = 3
_LUMA = np.array([1, 1, 1, 0]) / math.sqrt(_RGB)
_ONTO_LUMA = np.outer(_LUMA, _LUMA)


def draw_colour(settings: AugmentSettings, draws: Draws, p: float) -> Tensor:
    """Draw the colour transforms of a batch.

    Args:
        settings: which transforms, how strong.
        draws: the batch's random numbers.
        p: overall probability; each transform happens with `p` times its multiplier.

    Returns:
        `[N, 4, 4]` float64 on the CPU, on columns (r, g, b, 1).
    """
    matrix = np.tile(np.eye(4), (draws.count, 1, 1))
    if settings.brightness > 0:
        offset = draws.normal() * settings.brightness_std * draws.happens(settings.brightness * p)
        matrix[:, :3, 3] = offset.numpy()[:, None]
    if settings.contrast > 0:
        log_gain = draws.normal() * settings.contrast_std * draws.happens(settings.contrast * p)
        matrix[:, :3] *= np.exp2(log_gain.numpy())[:, None, None]
    if settings.lumaflip > 0:
        flips = draws.integers(2) * draws.happens(settings.lumaflip * p)
        matrix = (np.eye(4) - 2 * _ONTO_LUMA * flips.numpy()[:, None, None]) @ matrix
    if settings.hue > 0:
        angle = draws.symmetric() * (math.pi * settings.hue_max) * draws.happens(settings.hue * p)
        matrix = _rotation_about(_LUMA[:3], angle.numpy()) @ matrix
    if settings.saturation > 0:
        log_gain = draws.normal() * settings.saturation_std * draws.happens(settings.saturation * p)
        chroma_gain = np.exp2(log_gain.numpy())[:, None, None]
        matrix = (_ONTO_LUMA + (np.eye(4) - _ONTO_LUMA) * chroma_gain) @ matrix
    return torch.from_numpy(matrix)


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


def _rotation_about(axis: Array, angle: Array) -> Array:
    """Rodrigues' rotation: `[N, 4, 4]` of angles `[N]`, radians, about a unit vector `[3]`."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation = np.tile(np.eye(4), (len(angle), 1, 1))
    sine, versine = np.sin(angle)[:, None, None], (1 - np.cos(angle))[:, None, None]
    rotation[:, :3, :3] += sine * cross + versine * (cross @ cross)
    return rotation
