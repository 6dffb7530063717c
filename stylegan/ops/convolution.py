"""Convolution and its transpose, with derivatives as fast as the convolution itself.

A convolution is linear in its input and in its weights, so each derivative of any order is again a convolution, a
transposed one, or the gradient of weights. torch takes second derivatives by swapping batch and channels, which
makes kernels as large as images; here every order goes through the same three operations, as R1 and path-length
regularisation (arXiv 1912.04958) need. Large 3×3 convolutions use Winograd's algorithm (`stylegan.ops.winograd`);
weight gradients with stride 2 are taken phase by phase on a CPU, where oneDNN has no fast kernel for channels last.
Groups and dilation are left to torch.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.ops import native, winograd
from stylegan.ops.autocast import is_autocast

__all__ = ["conv2d", "conv_transpose2d", "without_weight_gradients"]

_PHASED_FROM = 64  # pixels per side from which phases pay off


def conv2d(x: Tensor, w: Tensor, stride: int = 1, padding: int | tuple[int, int] = 0) -> Tensor:
    """Correlate `x` with `w`, zeros beyond its edges; differentiable to any order.

    Args:
        x: `[N, I, H, W]`.
        w: `[O, I, kh, kw]`.
        stride: step between outputs, pixels.
        padding: zeros added before and after, an int or `(y, x)`.

    Returns:
        `[N, O, (H + 2 * padding - kh) // stride + 1, …]`, dtype of `x`.
    """
    pads = (padding, padding) if isinstance(padding, int) else padding
    return _convolve(x, w, _Geometry(stride=stride, padding=pads))


def conv_transpose2d(x: Tensor, w: Tensor, stride: int = 1) -> Tensor:
    """The adjoint of `conv2d` without padding: scatter each value of `x`, weighted by `w`.

    Args:
        x: `[N, I, H, W]`.
        w: `[I, O, kh, kw]`.
        stride: distance in the result between neighbours of `x`, pixels.

    Returns:
        `[N, O, (H - 1) * stride + kh, …]`, dtype of `x`.
    """
    return _convolve(x, w, _Geometry(stride=stride, padding=(0, 0), is_transposed=True))


@contextlib.contextmanager
def without_weight_gradients() -> Iterator[None]:
    """Leave the gradients of weights out of backward passes in the `with`, for gradients by images alone.

    torch does not tell an `autograd.Function` which gradients are asked for, only which exist.
    """
    global _weights_wanted  # noqa: PLW0603 - whatever thread runs the backward pass
    before, _weights_wanted = _weights_wanted, False
    try:
        yield
    finally:
        _weights_wanted = before


_weights_wanted = True


@dataclasses.dataclass(frozen=True, slots=True)
class _Geometry:
    stride: int
    padding: tuple[int, int]
    is_transposed: bool = False
    spare: tuple[int, int] = (0, 0)
    """Rows and columns that the stride left out at the end, which the transpose has to put back."""

    def keeps_size(self, kernel: torch.Size) -> bool:
        """Whether it is the common 3×3 convolution, padded to keep the size."""
        return self.stride == 1 and self.padding == (1, 1) and kernel[2:] == (3, 3)

    def adjoint(self, in_size: torch.Size, out_size: torch.Size, kernel: torch.Size) -> "_Geometry":
        """The geometry of the adjoint convolution, which takes gradients of the result back to the input."""
        if self.is_transposed:
            return _Geometry(self.stride, self.padding)
        y, x = (
            in_size[i] - ((out_size[i] - 1) * self.stride - 2 * self.padding[i] + kernel[i]) for i in (0, 1)
        )
        return _Geometry(self.stride, self.padding, is_transposed=True, spare=(y, x))


def _convolve(x: Tensor, w: Tensor, geometry: _Geometry) -> Tensor:
    has_gradient = torch.is_grad_enabled() and (x.requires_grad or w.requires_grad)
    # Under autocast results differ in dtype from what is kept for the backward pass: only torch's own can handle that.
    if has_gradient and not native.is_traced() and not is_autocast(x.device.type):
        result: Tensor = _Convolution.apply(x, w, geometry)
        return result
    return _forward(x, w, geometry)


def _forward(x: Tensor, w: Tensor, geometry: _Geometry) -> Tensor:
    if geometry.keeps_size(w.shape) and winograd.pays(x, w):
        return winograd.convolve(x, w, geometry.is_transposed)
    if geometry.is_transposed:
        return F.conv_transpose2d(
            x, w, stride=geometry.stride, padding=geometry.padding, output_padding=geometry.spare
        )
    return F.conv2d(x, w, stride=geometry.stride, padding=geometry.padding)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, geometry: _Geometry) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.geometry = geometry
        return _forward(x, w, geometry)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, w = ctx.saved_tensors
        geometry: _Geometry = ctx.geometry
        wants_x, wants_w = ctx.needs_input_grad[0], ctx.needs_input_grad[1] and _weights_wanted
        grad_x = grad_w = None
        if wants_x:
            grad_x = _convolve(grad, w, geometry.adjoint(x.shape[2:], grad.shape[2:], w.shape[2:]))
        if wants_w:
            large, small = (grad, x) if geometry.is_transposed else (x, grad)
            grad_w = _weight_gradient(large, small, w.shape, geometry)
        return grad_x, grad_w, None


def _weight_gradient(large: Tensor, small: Tensor, shape: torch.Size, geometry: _Geometry) -> Tensor:
    """The gradient of the weights that take `large` to `small`, whichever of the two is the input."""
    if torch.is_grad_enabled() and (large.requires_grad or small.requires_grad):
        result: Tensor = _WeightGradient.apply(large, small, shape, geometry)
        return result
    if geometry.keeps_size(shape) and winograd.pays_for_weights(large, small):
        return winograd.weight_gradient(large, small)
    if geometry.stride == 2 and geometry.padding == (0, 0) and _phases_pay(large):
        return _phased_weight_gradient(large, small, shape)
    return _plain_weight_gradient(large, small, shape, geometry.stride, geometry.padding)


class _WeightGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, large: Tensor, small: Tensor, shape: torch.Size, geometry: _Geometry) -> Tensor:
        ctx.save_for_backward(large, small)
        ctx.geometry = geometry
        return _weight_gradient(large, small, shape, geometry)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        large, small = ctx.saved_tensors
        down = dataclasses.replace(ctx.geometry, is_transposed=False, spare=(0, 0))
        grad_large = grad_small = None
        if ctx.needs_input_grad[0]:
            grad_large = _convolve(
                small, grad, down.adjoint(large.shape[2:], small.shape[2:], grad.shape[2:])
            )
        if ctx.needs_input_grad[1]:
            grad_small = _convolve(large, grad, down)
        return grad_large, grad_small, None, None


def _plain_weight_gradient(
    large: Tensor, small: Tensor, shape: torch.Size, stride: int, padding: Sequence[int]
) -> Tensor:
    like = large.new_empty(shape)  # only its shape counts
    _, grad, _ = torch.ops.aten.convolution_backward(
        small, large, like, None, [stride] * 2, padding, [1, 1], False, [0, 0], 1, [False, True, False]
    )
    result: Tensor = grad
    return result


def _phases_pay(large: Tensor) -> bool:
    is_last = large.is_contiguous(memory_format=torch.channels_last)
    return is_last and large.device.type == "cpu" and min(large.shape[2:]) >= _PHASED_FROM


def _phased_weight_gradient(large: Tensor, small: Tensor, shape: torch.Size) -> Tensor:
    """For stride 2: every second weight meets only every second pixel of `large`, which is a problem of stride 1."""
    result = large.new_empty(shape)
    height, width = small.shape[2:]
    for y in range(min(2, shape[2])):
        for x in range(min(2, shape[3])):
            target = result[:, :, y::2, x::2]
            rows, columns = height + target.shape[2] - 1, width + target.shape[3] - 1
            phase = large[:, :, y::2, x::2][:, :, :rows, :columns]
            phase = phase.contiguous(memory_format=torch.channels_last)
            target.copy_(_plain_weight_gradient(phase, small, target.shape, 1, [0, 0]))
    return result
