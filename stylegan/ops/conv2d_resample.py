"""Convolution with FIR up- or downsampling, by the cheapest equivalent order of the two.

Both are linear and shift-invariant, so they commute: a 1×1 kernel runs at the smaller of the two resolutions, a
downsampling convolution takes strides after the FIR, an upsampling one is a transposed convolution before it
(arXiv 1912.04958, appendix B).
"""

import torch.nn.functional as F
from torch import Tensor

from stylegan.ops.convolution import conv2d, conv_transpose2d
from stylegan.ops.upfirdn2d import (
    IntOrPair,
    add_padding,
    downsampling_padding,
    parse_padding,
    upfirdn2d,
    upsampling_padding,
)

__all__ = ["conv2d_resample"]


def conv2d_resample(
    x: Tensor,
    w: Tensor,
    f: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    padding: IntOrPair = 0,
    groups: int = 1,
    flip_weight: bool = True,
    flip_filter: bool = False,
) -> Tensor:
    """Upsample `x` with `f`, convolve with `w`, downsample with `f`.

    Args:
        x: `[N, I, H, W]`.
        w: `[O, I // groups, kh, kw]`.
        f: filter from `setup_filter`, None for the identity.
        up: upsampling factor.
        down: downsampling factor.
        padding: with respect to the upsampled image, on top of what `f` needs; forms as in `upfirdn2d`.
        groups: as in `torch.nn.functional.conv2d`.
        flip_weight: True correlates as torch does, False convolves.
        flip_filter: True correlates with `f`.

    Returns:
        `[N, O, H*up/down, W*up/down]` where `padding` is half the kernel; dtype of `x`.
    """
    kh, kw = w.shape[2:]
    pads = parse_padding(padding)
    if up > 1:
        pads = add_padding(pads, upsampling_padding(f, up, up))
    if down > 1:
        pads = add_padding(pads, downsampling_padding(f, down, down))

    if kh == kw == 1 and up == 1 and down > 1:
        x = upfirdn2d(x, f, down=down, padding=pads, flip_filter=flip_filter)
        return _conv2d(x, w, groups=groups, flip_weight=flip_weight)
    if kh == kw == 1 and up > 1 and down == 1:
        x = _conv2d(x, w, groups=groups, flip_weight=flip_weight)
        return upfirdn2d(x, f, up=up, padding=pads, gain=up**2, flip_filter=flip_filter)
    if up == 1 and down > 1:
        x = upfirdn2d(x, f, padding=pads, flip_filter=flip_filter)
        return _conv2d(x, w, stride=down, groups=groups, flip_weight=flip_weight)
    if up > 1:
        x = _conv_transpose2d(x, w, stride=up, groups=groups, flip_weight=flip_weight)
        # The transposed convolution already padded by k-1 on each side and left out up-1 zeros at the end.
        pads = add_padding(pads, (1 - kw, up - kw, 1 - kh, up - kh))
        x = upfirdn2d(x, f, padding=pads, gain=up**2, flip_filter=flip_filter)
        return x if down == 1 else upfirdn2d(x, f, down=down, flip_filter=flip_filter)
    x0, x1, y0, y1 = pads
    if x0 == x1 >= 0 and y0 == y1 >= 0:
        return _conv2d(x, w, padding=(y0, x0), groups=groups, flip_weight=flip_weight)
    return _conv2d(F.pad(x, pads), w, groups=groups, flip_weight=flip_weight)


def _conv2d(
    x: Tensor,
    w: Tensor,
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
    groups: int = 1,
    flip_weight: bool = True,
) -> Tensor:
    if not flip_weight and w.shape[2:] != (1, 1):  # conv2d correlates
        w = w.flip([2, 3])
    if groups == 1:
        return conv2d(x, w, stride, padding)
    return F.conv2d(x, w, stride=stride, padding=padding, groups=groups)


def _conv_transpose2d(x: Tensor, w: Tensor, stride: int, groups: int, flip_weight: bool) -> Tensor:
    if flip_weight:  # conv_transpose2d scatters, which is a true convolution
        w = w.flip([2, 3])
    if groups == 1:
        return conv_transpose2d(x, w.transpose(0, 1), stride)
    out_channels, in_channels, kh, kw = w.shape
    w = w.reshape(groups, out_channels // groups, in_channels, kh, kw).transpose(1, 2)
    w = w.reshape(groups * in_channels, out_channels // groups, kh, kw)
    return F.conv_transpose2d(x, w, stride=stride, groups=groups)
