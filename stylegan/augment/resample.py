"""Move pixels by an affine map without aliasing (arXiv 2006.06676, appendix B.1).

Images are extended by reflection as far as the map reaches, upsampled twofold with the orthogonal wavelet
sym6, sampled bilinearly, and downsampled with the mirrored wavelet, which undoes the upsampling exactly where
nothing moved. Up- and downsampling are linear and separable, so up to `_DENSE_SIZE` pixels they are two
matrix products: on a CPU several times faster than a FIR filter that goes over the padded image; larger
images take that filter.
"""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.augment.bilinear import bilinear
from stylegan.augment.wavelets import SYM6
from stylegan.device import send
from stylegan.ops import upfirdn2d

__all__ = ["warp"]

_DENSE_SIZE = 256
_TAPS = len(SYM6)
_SKIRT = _TAPS // 2 - 1  # upsampled pixels beyond the image that the downsampling filter reads, on each side
_UP_PADDING = (_TAPS // 2, _TAPS // 2 - 1)
# Pixels needed on each side of a position that is read: half the filter (a tap is half a pixel, less half a tap at
# its end), and one upsampled pixel for the bilinear neighbour.
_REACH = (_TAPS - 1) / 4 + 0.5
# The centre lies between two upsampled pixels; the official transforms turn about the one before it.
_PIVOT = -0.25


def warp(images: Tensor, inverse: Tensor) -> Tensor:
    """Move each image's pixels by its own map; images whose map is the identity stay as they are.

    Args:
        images: `[N, C, H, W]`, float32 or float64.
        inverse: `[N, 3, 3]` float64 on the CPU, from positions in the result to positions in the image,
            pixels from the centre.

    Returns:
        `[N, C, H, W]`. Beyond one reflection (an image's size less one pixel) there is 0.
    """
    moved = (inverse != torch.eye(3, dtype=inverse.dtype)).any(dim=2).any(dim=1).nonzero().squeeze(1)
    if len(moved) == 0:
        return images
    if len(moved) == len(images):
        return _resample(images, inverse)
    index = send(moved, images.device)
    return images.index_copy(0, index, _resample(images.index_select(0, index), inverse[moved]))


def _resample(images: Tensor, inverse: Tensor) -> Tensor:
    count, channels, height, width = images.shape
    inverse = _shift([_PIVOT, _PIVOT]) @ inverse @ _shift([-_PIVOT, -_PIVOT])
    margins = _find_margins(inverse, height, width)
    x = _upsample(images, margins)
    out_size = [2 * (height + _SKIRT), 2 * (width + _SKIRT)]
    theta = _normalise(inverse, x.shape[2:], out_size, margins)
    theta = send(theta.to(images.dtype), images.device)  # in this order: some devices know no float64
    x = bilinear(x, F.affine_grid(theta, [count, channels, *out_size], align_corners=False))
    return _downsample(x)


def _find_margins(inverse: Tensor, height: int, width: int) -> list[int]:
    """Pixels to add left, right, top and bottom so that every position read, with its filter, is there."""
    half = torch.tensor([width, height], dtype=inverse.dtype) / 2
    x, y = (half + (_SKIRT - 0.5) / 2).tolist()  # the outermost upsampled pixels' centres
    corners = torch.tensor([[-x, x, -x, x], [-y, -y, y, y], [1, 1, 1, 1]], dtype=inverse.dtype)
    read = (inverse @ corners)[:, :2]  # [N, 2, 4]
    before = (-read).amax(dim=(0, 2)) - half + _REACH + 0.5
    after = read.amax(dim=(0, 2)) - half + _REACH + 0.5
    needed = torch.stack([before, after], dim=1).flatten().tolist()
    most = [width - 1, width - 1, height - 1, height - 1]
    return [max(0, min(math.ceil(n), m)) for n, m in zip(needed, most, strict=True)]


def _normalise(inverse: Tensor, in_size: torch.Size, out_size: list[int], margins: list[int]) -> Tensor:
    """Maps in pixels as maps `[N, 2, 3]` between the [-1, 1] squares of `affine_grid` and `grid_sample`."""
    left, right, top, bottom = margins
    out_height, out_width = out_size
    in_height, in_width = in_size
    to_pixels = torch.tensor([out_width / 4, out_height / 4, 1], dtype=inverse.dtype).diag()
    to_centre = _shift([(left - right) / 2, (top - bottom) / 2])
    from_pixels = torch.tensor([4 / in_width, 4 / in_height, 1], dtype=inverse.dtype).diag()
    return (from_pixels @ to_centre @ inverse @ to_pixels)[:, :2]


def _shift(by: list[float]) -> Tensor:
    matrix = torch.eye(3, dtype=torch.float64)
    matrix[:2, 2] = torch.tensor(by, dtype=torch.float64)
    return matrix


def _upsample(images: Tensor, margins: list[int]) -> Tensor:
    """Extend by reflection and double: `[N, C, 2 * (H + top + bottom), 2 * (W + left + right)]`."""
    left, right, top, bottom = margins
    height, width = images.shape[2:]
    if max(height, width) > _DENSE_SIZE:
        x = F.pad(images, margins, mode="reflect")
        return upfirdn2d(
            x, _taps(images.dtype, images.device), up=2, padding=[*_UP_PADDING, *_UP_PADDING], gain=4
        )
    rows = _upsampling_matrix(images, height, top, bottom)
    columns = _upsampling_matrix(images, width, left, right)
    return rows @ (images @ columns.T)


def _downsample(x: Tensor) -> Tensor:
    """Halve, consuming the skirt: `[N, C, 2 * (H + _SKIRT), 2 * (W + _SKIRT)]` to `[N, C, H, W]`."""
    if max(x.shape[2:]) > 2 * (_DENSE_SIZE + _SKIRT):
        return upfirdn2d(x, _taps(x.dtype, x.device), down=2, flip_filter=True)
    rows, columns = (_downsampling_matrix(size, x.dtype, x.device) for size in x.shape[2:])
    return rows @ (x @ columns.T)


def _upsampling_matrix(like: Tensor, size: int, before: int, after: int) -> Tensor:
    """`_upsample` along one axis as a matrix, its impulse responses: `[2 * (size + before + after), size]`."""
    impulses = torch.eye(size, dtype=like.dtype, device=like.device)[:, None]
    extended = F.pad(impulses, [before, after], mode="reflect")[:, None]
    answer = upfirdn2d(
        extended, _taps(like.dtype, like.device)[None], up=[2, 1], padding=[*_UP_PADDING, 0, 0], gain=2
    )
    return answer[:, 0, 0].T


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _downsampling_matrix(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """`_downsample` along one axis as a matrix, `[size / 2 - _SKIRT, size]`."""
    impulses = torch.eye(size, dtype=dtype, device=device)[:, None, None]
    return upfirdn2d(impulses, _taps(dtype, device)[None], down=[2, 1], flip_filter=True)[:, 0, 0].T


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _taps(dtype: torch.dtype, device: torch.device) -> Tensor:
    """The wavelet, normalised."""
    taps = torch.tensor(SYM6, dtype=dtype, device=device)
    return taps / taps.sum()
