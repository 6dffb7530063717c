"""The native `bias_act` as PyTorch operators: schemas, shapes without data, and derivatives.

`bend::bias_act` is the value, `bend::bias_act_grad` a gradient times the activation's derivative of some order; the
latter's own derivatives are itself again, one order higher, so that gradients of gradients need no third operator.
A straight activation (linear, relu, lrelu) is differentiated from its result, which the next layer keeps anyway, and
a smooth one from its input. `csrc/bias_act.cpp` and `.cu` hold the kernels; import this only where they are loaded.
"""

from typing import Any

import torch
from torch import Tensor

from stylegan.ops.layout import like_layout

__all__ = ["MAX_ORDER", "NUM_STRAIGHT", "native_bias_act"]

MAX_ORDER = 3
"""The highest derivative of a smooth activation that there is a kernel for."""
NUM_STRAIGHT = 3
"""How many activations, counted from the first, are straight lines on either side of zero."""

_SETTINGS = "float alpha, float gain, float clamp"
torch.library.define(
    "bend::bias_act",
    f"(Tensor x, Tensor? b, int dim, int act, {_SETTINGS}) -> Tensor",
    tags=torch.Tag.pt2_compliant_tag,
)
torch.library.define(
    "bend::bias_act_grad",
    f"(Tensor g, Tensor reference, Tensor? b, int dim, int act, int order, {_SETTINGS}) -> Tensor",
    tags=torch.Tag.pt2_compliant_tag,
)


def native_bias_act(
    x: Tensor, b: Tensor | None, dim: int, act: int, alpha: float, gain: float, clamp: float
) -> Tensor:
    """`bias_act` by the native kernels.

    Args:
        x: of any shape, contiguous or channels last.
        b: `[x.shape[dim]]` of `x`'s dtype, or None.
        dim: not negative.
        act: place in `stylegan.ops.bias_act.ACTIVATIONS`.
        alpha: slope of lrelu left of zero, positive.
        gain: positive.
        clamp: symmetric bound, negative for none.

    Returns:
        A tensor of `x`'s shape, dtype and layout.
    """
    result: Tensor = torch.ops.bend.bias_act.default(x, b, dim, act, alpha, gain, clamp)
    return result


@torch.library.register_fake("bend::bias_act")
def _(x: Tensor, b: Tensor | None, dim: int, act: int, alpha: float, gain: float, clamp: float) -> Tensor:
    return torch.empty_like(x)


@torch.library.register_fake("bend::bias_act_grad")
def _(
    g: Tensor,
    reference: Tensor,
    b: Tensor | None,
    dim: int,
    act: int,
    order: int,
    alpha: float,
    gain: float,
    clamp: float,
) -> Tensor:
    return torch.empty_like(g)


def _keep_for_gradient(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, b, dim, act, *settings = inputs
    is_straight = act < NUM_STRAIGHT
    ctx.save_for_backward(output if is_straight else x, None if is_straight else b)
    ctx.dim, ctx.act, ctx.settings = dim, act, settings


def _gradient(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
    reference, b = ctx.saved_tensors
    if ctx.act < NUM_STRAIGHT:
        # A line has no curvature: without this, gradients of gradients would carry zeros back through the network.
        reference = reference.detach()
    dx = _grad(like_layout(g, reference), reference, b, ctx.dim, ctx.act, 1, *ctx.settings)
    db = _sum_but(dx, ctx.dim) if ctx.needs_input_grad[1] else None
    return dx, db, None, None, None, None, None


def _keep_for_second_gradient(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    g, reference, b, dim, act, order, *settings = inputs
    is_straight = act < NUM_STRAIGHT
    ctx.save_for_backward(None if is_straight else g, reference, b)
    ctx.dim, ctx.act, ctx.order, ctx.settings = dim, act, order, settings


def _second_gradient(ctx: Any, gg: Tensor) -> tuple[Tensor | None, ...]:
    g, reference, b = ctx.saved_tensors
    dg = dreference = db = None
    gg = like_layout(gg, reference)
    if ctx.needs_input_grad[0]:
        dg = _grad(gg, reference, b, ctx.dim, ctx.act, ctx.order, *ctx.settings)
    if g is not None and (ctx.needs_input_grad[1] or ctx.needs_input_grad[2]):
        if ctx.order == MAX_ORDER:
            raise NotImplementedError(f"bias_act has native derivatives up to order {MAX_ORDER}")
        dreference = _grad(gg * g, reference, b, ctx.dim, ctx.act, ctx.order + 1, *ctx.settings)
        db = _sum_but(dreference, ctx.dim) if ctx.needs_input_grad[2] else None
    return dg, dreference, db, None, None, None, None, None, None


torch.library.register_autograd("bend::bias_act", _gradient, setup_context=_keep_for_gradient)
torch.library.register_autograd(
    "bend::bias_act_grad", _second_gradient, setup_context=_keep_for_second_gradient
)


def _grad(g: Tensor, reference: Tensor, b: Tensor | None, *settings: Any) -> Tensor:
    result: Tensor = torch.ops.bend.bias_act_grad.default(g, reference, b, *settings)
    return result


def _sum_but(x: Tensor, dim: int) -> Tensor:
    return x.sum([d for d in range(x.ndim) if d != dim]) if x.ndim > 1 else x
