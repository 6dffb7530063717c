"""Bends by a small neighbourhood: blur, sharpen, sobel, median. Beyond the edge lies the outermost pixel."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["blur", "median", "sharpen", "sobel"]

_SHARPEN_SIGMA = 1.0
_TINY = 1e-12


def blur(x: Tensor, sigma: float) -> Tensor:
    """Blur `x [N, C, H, W]` by a Gaussian of `sigma` pixels, cut off at three sigma."""
    reach = math.ceil(3 * sigma)
    if reach == 0:
        return x
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64)
    weights = torch.exp(-offsets.square() / (2 * sigma**2))
    taps = (weights / weights.sum()).to(x.dtype).to(x.device)
    channels = x.shape[1]
    x = F.pad(x, [reach] * 4, mode="replicate")
    x = F.conv2d(x, taps.expand(channels, 1, 1, -1), groups=channels)
    return F.conv2d(x, taps[:, None].expand(channels, 1, -1, 1), groups=channels)


def sharpen(x: Tensor, amount: float) -> Tensor:
    """Unsharp mask: `x + amount * (x - blur(x))`, with a blur of one pixel."""
    return blur(x, _SHARPEN_SIGMA).lerp(x, 1 + amount)


def sobel(x: Tensor) -> Tensor:
    """Steepness of `x [N, C, H, W]`: the length of the gradient by the two 3×3 Sobel kernels."""
    work = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x  # squares would overflow
    padded = F.pad(work, [1] * 4, mode="replicate")
    across = _smooth(padded, 2)
    across = across[..., 2:] - across[..., :-2]
    down = _smooth(padded, 3)
    down = down[:, :, 2:] - down[:, :, :-2]
    squared = torch.addcmul(across.new_tensor(_TINY), across, across).addcmul_(down, down)
    return squared.sqrt_().to(x.dtype)


def median(x: Tensor, radius: int) -> Tensor:
    """The median of `x [N, C, H, W]` over the (2 radius + 1)² pixels about each."""
    if radius == 0:
        return x
    padded = F.pad(x, [radius] * 4, mode="replicate")
    if radius == 1:
        return _median_of_nine(padded)
    height, width = x.shape[2:]
    side = range(2 * radius + 1)
    views = [padded[:, :, dy : dy + height, dx : dx + width] for dy in side for dx in side]
    return torch.stack(views).median(dim=0).values


def _median_of_nine(x: Tensor) -> Tensor:
    """Over 3×3 windows by least and greatest alone, columns sorted once for the three windows that share them.

    The median of nine is that of: the greatest of the columns' least, the median of their medians, and the least of
    their greatest (J. L. Smith, Implementing median filters in XC4000E FPGAs, Xcell 23, 1996).
    """
    height, width = x.shape[2] - 2, x.shape[3] - 2
    low, middle, high = _sorted(*(x.narrow(2, dy, height) for dy in range(3)))

    def across(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return rows.narrow(3, 0, width), rows.narrow(3, 1, width), rows.narrow(3, 2, width)

    a, b, c = across(low)
    greatest_low = torch.maximum(torch.maximum(a, b), c)
    a, b, c = across(high)
    least_high = torch.minimum(torch.minimum(a, b), c)
    return _middle(greatest_low, _middle(*across(middle)), least_high)


def _sorted(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    a, b = torch.minimum(a, b), torch.maximum(a, b)
    b, c = torch.minimum(b, c), torch.maximum(b, c)
    return torch.minimum(a, b), torch.maximum(a, b), c


def _middle(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    a, b = torch.minimum(a, b), torch.maximum(a, b)
    return torch.maximum(a, torch.minimum(b, c))


def _smooth(x: Tensor, dim: int) -> Tensor:
    """Weights 1, 2, 1 along `dim`, which loses its first and last place."""
    length = x.shape[dim] - 2
    return (x.narrow(dim, 0, length) + x.narrow(dim, 2, length)).add_(x.narrow(dim, 1, length), alpha=2)
