"""Convolution whose weights are scaled by a style, and demodulated (arXiv 1912.04958, section 2.2).

Scaling weights per sample is the same as scaling the activations before one shared convolution and after it, so no
grouped convolution and no per-sample weights are needed. Demodulation needs only the squared styles times the
squared weights summed over the kernel: one matrix product.
"""

import torch
from torch import Tensor

from stylegan.ops.conv2d_resample import conv2d_resample

__all__ = ["bounded", "demodulation_of", "modulated_conv2d"]

_EPSILON = 1e-8
_TINY = 1e-20


def modulated_conv2d(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    *,
    noise: Tensor | None = None,
    up: int = 1,
    down: int = 1,
    padding: int = 0,
    resample_filter: Tensor | None = None,
    demodulate: bool = True,
    flip_weight: bool = True,
) -> Tensor:
    """Convolve each sample with `weight` scaled by its own style.

    Args:
        x: `[N, I, H, W]`, float32, float64, or half precision.
        weight: `[O, I, k, k]`.
        styles: `[N, I]`.
        noise: added to the result, broadcast to `[N, O, H*up/down, W*up/down]`; None for none.
        up: upsampling factor.
        down: downsampling factor.
        padding: padding with respect to the upsampled image.
        resample_filter: filter from `setup_filter` for up- and downsampling.
        demodulate: scale each output channel to unit expected variance.
        flip_weight: True correlates as torch does, False convolves.

    Returns:
        `[N, O, H*up/down, W*up/down]` in `x`'s dtype.
    """
    if x.dtype == torch.float16 and demodulate:
        weight, styles = bounded(weight, styles)
    x = x * styles.to(x.dtype)[:, :, None, None]
    x = conv2d_resample(
        x, weight.to(x.dtype), resample_filter, up=up, down=down, padding=padding, flip_weight=flip_weight
    )
    if demodulate:
        demodulation = demodulation_of(weight, styles).to(x.dtype)[:, :, None, None]
        if noise is not None and x.device.type == "cuda":  # one pass over memory, but slower on a CPU
            return torch.addcmul(noise.to(x.dtype), x, demodulation)
        x = x * demodulation
    return x if noise is None else x + noise.to(x.dtype)


def bounded(weight: Tensor, styles: Tensor) -> tuple[Tensor, Tensor]:
    """Weights `[O, I, k, k]` and styles `[N, I]` whose products, and their squares, float16 can hold.

    Demodulation undoes the divisions.
    """
    in_size = weight[0].numel()
    # The lower bound is for channels and styles that are all zero.
    weight = weight * (in_size**-0.5 / weight.abs().amax(dim=[1, 2, 3], keepdim=True).clamp(min=_TINY))
    return weight, styles / styles.abs().amax(dim=1, keepdim=True).clamp(min=_TINY)


def demodulation_of(weight: Tensor, styles: Tensor) -> Tensor:
    """The factors that scale each output channel to unit expected variance, `[N, O]`."""
    squares = styles.square() @ weight.square().sum(dim=[2, 3]).T
    return (squares + _EPSILON).rsqrt()
