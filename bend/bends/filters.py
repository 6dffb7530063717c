"""Bends of a small neighbourhood: blur, sharpen, sobel, median. The outermost pixels go on beyond the edge."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["blur", "median", "sharpen", "sobel"]

_SHARPEN_SIGMA = 1.0
_TINY = 1e-12
_MOST_VALUES = 1 << 22
"""How many neighbours are sorted at once: those of a whole layer take gigabytes at the largest radius."""
_BLOCK = 64
"""How many pixels of a side are blurred at once: larger blocks multiply more zeros, smaller ones are slow to start."""


def blur(x: Tensor, sigma: float) -> Tensor:
    """Blur `x [N, C, H, W]` by a Gaussian of `sigma` pixels, cut off at three sigma.

    Each side is multiplied by a banded matrix. A convolution would be as quick, but its library compiles and keeps one
    for each number of channels, size and width, and a sigma that varies over time would fill memory with them.
    """
    if math.ceil(3 * sigma) == 0:
        return x
    work = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    if work.is_contiguous(memory_format=torch.channels_last):  # in the order of memory
        rows = work.permute(0, 2, 3, 1)
        along = _smoothed(rows, sigma).flatten(2)
        work = _smoothed(along, sigma).unflatten(2, rows.shape[2:]).permute(0, 3, 1, 2)
    else:
        work = _smoothed(_smoothed(work.transpose(2, 3), sigma).transpose(2, 3), sigma)
    return work.to(x.dtype)


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
    side = 2 * radius + 1
    num_at_once = max(_MOST_VALUES // (side**2 * x[:, :1].numel()), 1)
    # Allocated first, so that the temporary tensors of the loop can reuse one place in memory.
    found = torch.empty_like(x)
    for first in range(0, x.shape[1], num_at_once):
        some = slice(first, first + num_at_once)
        found[:, some] = _median_of_views(padded[:, some], side)
    return found


def _median_of_views(x: Tensor, side: int) -> Tensor:
    """Over windows of `side` pixels."""
    height, width = x.shape[2] - side + 1, x.shape[3] - side + 1
    views = [x[:, :, dy : dy + height, dx : dx + width] for dy in range(side) for dx in range(side)]
    return torch.stack(views, dim=-1).median(dim=-1).values


def _median_of_nine(x: Tensor) -> Tensor:
    """Over 3×3 windows, by minima and maxima alone; each column is sorted once for the three windows that share it.

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
    """Smooth along `dim` with weights 1, 2, 1; its first and last place are lost."""
    length = x.shape[dim] - 2
    return (x.narrow(dim, 0, length) + x.narrow(dim, 2, length)).add_(x.narrow(dim, 1, length), alpha=2)


def _smoothed(x: Tensor, sigma: float) -> Tensor:
    """`x [..., H, W]` blurred along H, a block at a time."""
    side, reach = x.shape[-2], math.ceil(3 * sigma)
    parts = []
    for first in range(0, side, _BLOCK):
        num = min(_BLOCK, side - first)
        low, high = max(first - reach, 0), min(first + num + reach, side)
        band = _band(first - low, num, high - low, sigma)
        parts.append(band.to(x) @ x.narrow(-2, low, high - low))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2)


def _band(first: int, num: int, length: int, sigma: float) -> Tensor:
    """The blur of `num` pixels from number `first` on as a matrix `[num, length]` over `length` pixels.

    The outermost pixels also stand for those beyond the edge.
    """
    reach = math.ceil(3 * sigma)
    offsets = torch.arange(-reach, reach + 1)
    weights = torch.exp(-offsets.double().square() / (2 * sigma**2))
    places = (torch.arange(first, first + num)[:, None] + offsets).clamp(0, length - 1)
    shares = (weights / weights.sum()).expand(num, -1)
    return torch.zeros(num, length, dtype=torch.float64).scatter_add(1, places, shares)
