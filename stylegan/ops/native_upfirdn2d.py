"""The native `upfirdn2d` as a PyTorch operator: schema, shape without data, and derivative.

The operator is linear, and its transpose is itself with up and down exchanged, the filter flipped and the padding to
match: that is all there is to its derivatives, of any order. `csrc/upfirdn2d.cpp` and `.cu` hold the kernels; import
this only where they are loaded. The filter is a constant here: to differentiate by it, use the plain operation.
"""

from typing import Any

import torch
from torch import Tensor

from stylegan.ops.layout import dense, is_channels_last

__all__ = ["native_upfirdn2d", "output_size", "transposed_padding"]

Padding = tuple[int, int, int, int]

torch.library.define(
    "bend::upfirdn2d",
    "(Tensor x, Tensor f, int up_x, int up_y, int down_x, int down_y, int pad_x0, int pad_x1, int pad_y0, int pad_y1,"
    " bool flip_filter, float gain) -> Tensor",
    tags=torch.Tag.pt2_compliant_tag,
)


def native_upfirdn2d(
    x: Tensor,
    f: Tensor,
    up: tuple[int, int],
    down: tuple[int, int],
    padding: Padding,
    flip_filter: bool,
    gain: float,
) -> Tensor:
    """`upfirdn2d` by the native kernels.

    Args:
        x: `[N, C, H, W]`, contiguous or channels last.
        f: `[h, w]`, or `[n]` for both axes; contiguous, float32 (float64 for float64 `x`), on `x`'s device.
        up: factors for x and y.
        down: the same.
        padding: `(x_before, x_after, y_before, y_after)`.
        flip_filter: correlate.
        gain: factor on the result.

    Returns:
        `[N, C, H', W']` of `x`'s dtype and layout.
    """
    result: Tensor = torch.ops.bend.upfirdn2d.default(x, f, *up, *down, *padding, flip_filter, gain)
    return result


def output_size(size: int, taps: int, up: int, down: int, before: int, after: int) -> int:
    """Outputs along an axis of `size` samples."""
    return (size * up + before + after - taps) // down + 1


def transposed_padding(size: int, taps: int, up: int, down: int, before: int, after: int) -> tuple[int, int]:
    """Padding before and after of the operation that carries gradients back along an axis of `size` samples."""
    out = output_size(size, taps, up, down, before, after)
    return taps - 1 - before, size * up - out * down + before - up + 1


@torch.library.register_fake("bend::upfirdn2d")
def _(
    x: Tensor,
    f: Tensor,
    up_x: int,
    up_y: int,
    down_x: int,
    down_y: int,
    pad_x0: int,
    pad_x1: int,
    pad_y0: int,
    pad_y1: int,
    flip_filter: bool,
    gain: float,
) -> Tensor:
    n, c, height, width = x.shape
    sizes = (
        n,
        c,
        output_size(height, f.shape[0], up_y, down_y, pad_y0, pad_y1),
        output_size(width, f.shape[-1], up_x, down_x, pad_x0, pad_x1),
    )
    layout = torch.channels_last if is_channels_last(x) else torch.contiguous_format
    return torch.empty(sizes, dtype=x.dtype, device=x.device, memory_format=layout)


def _keep_for_gradient(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, f, *settings = inputs
    ctx.save_for_backward(f)
    ctx.size, ctx.settings = x.shape[2:], settings


def _gradient(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    (f,) = ctx.saved_tensors
    up_x, up_y, down_x, down_y, x0, x1, y0, y1, flip_filter, gain = ctx.settings
    height, width = ctx.size
    px = transposed_padding(width, f.shape[-1], up_x, down_x, x0, x1)
    py = transposed_padding(height, f.shape[0], up_y, down_y, y0, y1)
    dx = native_upfirdn2d(dense(g), f, (down_x, down_y), (up_x, up_y), (*px, *py), not flip_filter, gain)
    return dx, *([None] * 11)


torch.library.register_autograd("bend::upfirdn2d", _gradient, setup_context=_keep_for_gradient)
