"""Bilinear sampling whose gradient has a gradient, as R1 through the augmentations needs.

For a fixed grid, sampling is linear in the image: its backward is the adjoint map, and the backward of that
is sampling again. torch's own `grid_sample` had no second derivative for years (pytorch/pytorch#34704).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["bilinear"]

_BILINEAR, _ZEROS = 0, 0  # how ATen numbers the interpolation and padding modes


def bilinear(images: Tensor, grid: Tensor) -> Tensor:
    """Sample images at the grid's positions, with black outside; differentiable in `images` to any order.

    Args:
        images: `[N, C, H, W]`.
        grid: `[N, Hout, Wout, 2]`, x and y in [-1, 1] from edge to edge (`align_corners=False`); a constant.

    Returns:
        `[N, C, Hout, Wout]`.
    """
    assert not grid.requires_grad, "positions have no gradient here"
    result: Tensor = _Sample.apply(images, grid)
    return result


class _Sample(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.size = images.shape
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _Scatter.apply(grad, grid, ctx.size), None


class _Scatter(torch.autograd.Function):
    """The adjoint of `_Sample`: each value goes to the four pixels it came from, with the same weights."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, grid: Tensor, size: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        like = values.new_empty(size)  # only its shape counts: the gradient by the grid is not asked for
        images, _ = torch.ops.aten.grid_sampler_2d_backward(
            values, like, grid, _BILINEAR, _ZEROS, False, [True, False]
        )
        return images

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Sample.apply(grad, grid), None, None
