"""Random image-space corruptions: additive noise and a blanked square (arXiv 2006.06676, appendix B.3)."""

import torch
from torch import Tensor

from stylegan.augment.draws import Draws
from stylegan.augment.settings import AugmentSettings

__all__ = ["add_noise", "cut_out"]


def add_noise(images: Tensor, settings: AugmentSettings, draws: Draws, p: float) -> Tensor:
    """Add Gaussian noise of a random strength to each image.

    Args:
        images: `[N, C, H, W]`.
        settings: `noise` and `noise_std`.
        draws: the batch's random numbers.
        p: overall probability.

    Returns:
        Shape and dtype of `images`.
    """
    sigma = draws.half_normal() * settings.noise_std * draws.happens(settings.noise * p)
    sigma = sigma.to(images.dtype).to(images.device)  # in this order: some devices know no float64
    return images + draws.pixel_noise(images) * sigma[:, None, None, None]


def cut_out(images: Tensor, settings: AugmentSettings, draws: Draws, p: float) -> Tensor:
    """Blank a square whose centre lies anywhere in each image.

    Args:
        images: `[N, C, H, W]`.
        settings: `cutout` and `cutout_size`.
        draws: the batch's random numbers.
        p: overall probability.

    Returns:
        Shape and dtype of `images`, 0 inside the squares.
    """
    half_side = draws.happens(settings.cutout * p)[:, None] * (settings.cutout_size / 2)
    centre_x, centre_y = draws.unit(2).split(1, dim=1)
    inside_x = (_pixel_centres(images.shape[3]) - centre_x).abs() < half_side  # [N, W]
    inside_y = (_pixel_centres(images.shape[2]) - centre_y).abs() < half_side  # [N, H]
    inside = (inside_y[:, None, :, None] & inside_x[:, None, None, :]).to(images.device)
    return images.masked_fill(inside, 0)


def _pixel_centres(size: int) -> Tensor:
    """Positions of `size` pixels as fractions of the image, `[size]`."""
    return (torch.arange(size, dtype=torch.float64) + 0.5) / size
