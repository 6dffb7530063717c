"""Upsample, pad, filter with a FIR, downsample: the resampling of StyleGAN2 (arXiv 1912.04958, appendix B).

Definitions as in Karras et al.: zeros are inserted after each sample, padding is counted on the upsampled image and may
crop, the FIR is a true convolution. `plain_upfirdn2d` is one depthwise `conv2d`, whose derivatives of every order torch
knows; `upfirdn2d` gives the same to rounding, by the native kernels where they are loaded (`stylegan.ops.native`).
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.ops import native
from stylegan.ops.autocast import without_autocast
from stylegan.ops.layout import dense

__all__ = [
    "IntOrPair",
    "add_padding",
    "downsample2d",
    "downsampling_padding",
    "filter2d",
    "parse_padding",
    "plain_upfirdn2d",
    "setup_filter",
    "upfirdn2d",
    "upsample2d",
    "upsampling_padding",
]

IntOrPair: TypeAlias = int | Sequence[int]
Padding: TypeAlias = tuple[int, int, int, int]
"""`(x_before, x_after, y_before, y_after)`."""
_SEPARABLE_TAPS = 8
_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def setup_filter(
    f: Tensor | Sequence[float] | Sequence[Sequence[float]] | float | None,
    normalize: bool = True,
    flip_filter: bool = False,
    gain: float = 1,
    separable: bool | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Make a FIR filter for `upfirdn2d` from taps.

    Args:
        f: taps `[n]` or `[h, w]`; None or a number is one tap.
        normalize: scale to sum 1.
        flip_filter: reverse the taps.
        gain: factor on the signal (a 1-D filter takes its square root, as it is applied twice).
        separable: keep 1-D taps 1-D; by default only from 8 taps on, while fewer become an outer product.
        device: where the filter lives.

    Returns:
        float32 `[h, w]`, or `[n]` if separable.

    Raises:
        ValueError: no taps, more than two dimensions, or a negative gain on a filter that is applied twice.
    """
    taps = torch.as_tensor(1 if f is None else f, dtype=torch.float32, device="cpu")
    if taps.ndim > 2 or taps.numel() == 0:
        raise ValueError(
            f"filter taps must be a number, a vector or a matrix, not of shape {tuple(taps.shape)}"
        )
    if taps.ndim == 0:
        taps = taps[None]
    if separable is None:
        separable = taps.ndim == 1 and taps.numel() >= _SEPARABLE_TAPS
    if taps.ndim == 1 and not separable:
        taps = torch.outer(taps, taps)
    if separable and taps.ndim != 1:
        raise ValueError("a separable filter needs 1-D taps")
    if separable and gain < 0:
        raise ValueError(f"a separable filter is applied twice and takes no negative gain, such as {gain}")
    if normalize:
        taps = taps / taps.sum()
    if flip_filter:
        taps = taps.flip(tuple(range(taps.ndim)))
    return (taps * gain ** (taps.ndim / 2)).to(device)


def upfirdn2d(
    x: Tensor,
    f: Tensor | None,
    up: IntOrPair = 1,
    down: IntOrPair = 1,
    padding: IntOrPair = 0,
    flip_filter: bool = False,
    gain: float = 1,
) -> Tensor:
    """Insert zeros, pad, filter each channel, keep every `down`-th sample.

    Args:
        x: `[N, C, H, W]`.
        f: filter from `setup_filter`, `[h, w]` or separable `[n]`; None for the identity.
        up: zeros to insert plus one, an int or `[x, y]`.
        down: decimation, an int or `[x, y]`.
        padding: on the upsampled image, an int, `[x, y]` or `[x_before, x_after, y_before, y_after]`; negative crops.
        flip_filter: correlate instead of convolving.
        gain: factor on the result.

    Returns:
        `[N, C, (H*up_y + padding - h) // down_y + 1, …]`, dtype of `x`.

    Raises:
        ValueError: the filter does not fit into the padded image.
    """
    if not _prefers_native(x, f):
        return plain_upfirdn2d(x, f, up, down, padding, flip_filter, gain)
    from stylegan.ops.native_upfirdn2d import native_upfirdn2d

    (upx, upy), (downx, downy), pads = _parse_pair(up), _parse_pair(down), parse_padding(padding)
    _check_size(x, f, upx, upy, pads)
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    taps = torch.ones([1, 1], dtype=dtype, device=x.device) if f is None else f.to(dtype).contiguous()
    return native_upfirdn2d(dense(x), taps, (upx, upy), (downx, downy), pads, flip_filter, float(gain))


def plain_upfirdn2d(
    x: Tensor,
    f: Tensor | None,
    up: IntOrPair = 1,
    down: IntOrPair = 1,
    padding: IntOrPair = 0,
    flip_filter: bool = False,
    gain: float = 1,
) -> Tensor:
    """`upfirdn2d` in torch alone, with the same arguments, result and errors, and differentiable by `f` as well."""
    upx, upy = _parse_pair(up)
    downx, downy = _parse_pair(down)
    padx0, padx1, pady0, pady1 = parse_padding(padding)
    _check_size(x, f, upx, upy, (padx0, padx1, pady0, pady1))
    if f is None:
        f = torch.ones([1, 1], dtype=torch.float32, device=x.device)
    x = _insert_zeros(x, upx, upy)
    even = (pady0, padx0)
    if padx0 != padx1 or pady0 != pady1 or min(even) < 0:
        x = _pad(x, [padx0, padx1, pady0, pady1])
        even = (0, 0)  # else the convolution pads, which saves a copy
    if x.dtype == torch.float64:
        f = f.double()
    f = (f * abs(gain) ** (f.ndim / 2)).to(x.dtype)
    if not flip_filter:  # conv2d correlates
        f = f.flip(tuple(range(f.ndim)))
    signed = -f if gain < 0 else f
    if f.ndim == 2:
        return _filter_depthwise(x, signed, (downy, downx), even)
    x = _filter_depthwise(x, f[None, :], (1, downx), (0, even[1]))
    return _filter_depthwise(x, signed[:, None], (downy, 1), (even[0], 0))


def filter2d(
    x: Tensor, f: Tensor | None, padding: IntOrPair = 0, flip_filter: bool = False, gain: float = 1
) -> Tensor:
    """Filter `[N, C, H, W]` and keep its size; `padding` adds to what that takes."""
    pads = add_padding(padding, upsampling_padding(f, 1, 1))
    return upfirdn2d(x, f, padding=pads, flip_filter=flip_filter, gain=gain)


def upsample2d(
    x: Tensor,
    f: Tensor | None,
    up: IntOrPair = 2,
    padding: IntOrPair = 0,
    flip_filter: bool = False,
    gain: float = 1,
) -> Tensor:
    """Upsample `[N, C, H, W]` to `[N, C, H*up_y, W*up_x]`; the gain makes up for the inserted zeros."""
    upx, upy = _parse_pair(up)
    pads = add_padding(padding, upsampling_padding(f, upx, upy))
    return upfirdn2d(x, f, up=up, padding=pads, flip_filter=flip_filter, gain=gain * upx * upy)


def downsample2d(
    x: Tensor,
    f: Tensor | None,
    down: IntOrPair = 2,
    padding: IntOrPair = 0,
    flip_filter: bool = False,
    gain: float = 1,
) -> Tensor:
    """Downsample `[N, C, H, W]` to `[N, C, H/down_y, W/down_x]`."""
    pads = add_padding(padding, downsampling_padding(f, *_parse_pair(down)))
    return upfirdn2d(x, f, down=down, padding=pads, flip_filter=flip_filter, gain=gain)


def parse_padding(padding: IntOrPair) -> Padding:
    """`padding` in any form as four numbers."""
    values = [int(v) for v in ((padding,) if isinstance(padding, int | np.integer) else padding)]
    if len(values) == 1:
        values *= 4
    elif len(values) == 2:
        values = [values[0], values[0], values[1], values[1]]
    if len(values) != 4:
        raise ValueError(f"padding takes 1, 2 or 4 numbers, not {len(values)}")
    return values[0], values[1], values[2], values[3]


def add_padding(padding: IntOrPair, more: Padding) -> Padding:
    """`padding` in any form, plus `more`."""
    x0, x1, y0, y1 = parse_padding(padding)
    return x0 + more[0], x1 + more[1], y0 + more[2], y1 + more[3]


def upsampling_padding(f: Tensor | None, upx: int, upy: int) -> Padding:
    """The padding with which upsampling by `f` gives exactly `upx` and `upy` times the size."""
    fw, fh = _filter_size(f)
    return (fw + upx - 1) // 2, (fw - upx) // 2, (fh + upy - 1) // 2, (fh - upy) // 2


def downsampling_padding(f: Tensor | None, downx: int, downy: int) -> Padding:
    """The padding with which downsampling by `f` divides the size by exactly `downx` and `downy`."""
    fw, fh = _filter_size(f)
    return (fw - downx + 1) // 2, (fw - downx) // 2, (fh - downy + 1) // 2, (fh - downy) // 2


def _parse_pair(value: IntOrPair) -> tuple[int, int]:
    x, y = (value, value) if isinstance(value, int | np.integer) else value
    if x < 1 or y < 1:
        raise ValueError(f"up and down must be at least 1, not {value}")
    return int(x), int(y)


def _check_size(x: Tensor, f: Tensor | None, upx: int, upy: int, padding: Padding) -> None:
    width, height = x.shape[3] * upx, x.shape[2] * upy
    fw, fh = _filter_size(f)
    if width + padding[0] + padding[1] < fw or height + padding[2] + padding[3] < fh:
        size = [*x.shape[:2], height, width]
        raise ValueError(f"filter {(fh, fw)} is larger than the padded image of {tuple(size)}")


def _prefers_native(x: Tensor, f: Tensor | None) -> bool:
    """Whether the native kernels can do it and are faster, which they measured to be except on few pixels."""
    if x.ndim != 4 or x.dtype not in _DTYPES or x.numel() == 0:
        return False
    if f is not None and (f.device != x.device or (f.requires_grad and torch.is_grad_enabled())):
        return False
    return not native.is_traced() and native.available(x.device.type)


def _filter_size(f: Tensor | None) -> tuple[int, int]:
    return (1, 1) if f is None else (f.shape[-1], f.shape[0])


def _insert_zeros(x: Tensor, upx: int, upy: int) -> Tensor:
    if upx == upy == 1:
        return x
    n, c, h, w = x.shape
    y = x.new_zeros([n, c, h * upy, w * upx])
    if x.is_contiguous(memory_format=torch.channels_last):
        y = y.contiguous(memory_format=torch.channels_last)
    y[:, :, ::upy, ::upx] = x
    return y


def _pad(x: Tensor, padding: list[int]) -> Tensor:
    """`F.pad`, which on its own cannot crop more from one side than there is before the other is padded."""
    if min(padding) < 0 < max(padding):
        x = F.pad(x, [max(p, 0) for p in padding])
    return F.pad(x, [min(p, 0) for p in padding] if min(padding) < 0 else padding)


def _filter_depthwise(x: Tensor, f: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
    channels = x.shape[1]
    f = f[None, None].expand(channels, 1, -1, -1)
    with without_autocast(x.device.type):  # the result has x's dtype, like the native one
        return F.conv2d(x, f, stride=stride, padding=padding, groups=channels)
