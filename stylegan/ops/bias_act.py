"""Bias, activation, gain and clamp in one call: `clamp(gain * act(x + b))`.

The activations and their default gains are those of StyleGAN2 (arXiv 1912.04958): a gain of √2 keeps the variance
of a rectified unit near one under He scaling. `plain_bias_act` is the definition, in torch, with every derivative;
`bias_act` gives the same to rounding and hands large tensors to the native kernels where they are loaded
(`stylegan.ops.native`), which read and write memory once instead of once a step.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.ops import native
from stylegan.ops.layout import dense

__all__ = ["ACTIVATIONS", "bias_act", "default_gain", "plain_bias_act"]

# name -> (function of x and alpha, default gain). Only lrelu reads alpha. csrc/activation.h numbers them in this order.
ACTIVATIONS: dict[str, tuple[Callable[[Tensor, float], Tensor], float]] = {
    "linear": (lambda x, alpha: x, 1.0),
    "relu": (lambda x, alpha: F.relu(x), math.sqrt(2)),
    "lrelu": (F.leaky_relu, math.sqrt(2)),
    "tanh": (lambda x, alpha: torch.tanh(x), 1.0),
    "sigmoid": (lambda x, alpha: torch.sigmoid(x), 1.0),
    "elu": (lambda x, alpha: F.elu(x), 1.0),
    "selu": (lambda x, alpha: F.selu(x), 1.0),
    "softplus": (lambda x, alpha: F.softplus(x), 1.0),
    "swish": (lambda x, alpha: torch.sigmoid(x) * x, math.sqrt(2)),
}
_LRELU_SLOPE = 0.2
_STRAIGHT = ("linear", "relu", "lrelu")
_NUMBERS = {name: number for number, name in enumerate(ACTIVATIONS)}
_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
# Below this many elements an operator's call costs more than its kernel saves (benchmarks/ops.py).
_LEAST_NUMEL = 8192


def default_gain(act: str) -> float:
    """The gain that `bias_act` applies after activation `act` when given none.

    Raises:
        ValueError: unknown activation.
    """
    return _activation(act)[1]


def bias_act(
    x: Tensor,
    b: Tensor | None = None,
    dim: int = 1,
    act: str = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
) -> Tensor:
    """Add a bias, apply an activation, scale, and clamp.

    Args:
        x: input of any shape.
        b: bias `[x.shape[dim]]`, or None for none.
        dim: the dimension of `x` that `b` runs along.
        act: a key of `ACTIVATIONS`.
        alpha: slope of `lrelu` for negative input, 0.2 if None.
        gain: factor after the activation, the activation's own default if None.
        clamp: symmetric bound of the result, none if None or negative.

    Returns:
        A tensor of `x`'s shape and dtype.

    Raises:
        ValueError: unknown activation, or a bias that does not fit.
    """
    _check_bias(x, b, dim)
    alpha = _LRELU_SLOPE if alpha is None else alpha
    gain = default_gain(act) if gain is None else gain
    if _prefers_native(x, b, act, alpha, gain):
        from stylegan.ops.native_bias_act import native_bias_act

        bias = None if b is None else b.to(x.dtype).contiguous()
        bound = float(clamp) if clamp is not None and clamp >= 0 else -1.0
        return native_bias_act(dense(x), bias, dim % x.ndim, _NUMBERS[act], float(alpha), float(gain), bound)
    return plain_bias_act(x, b, dim, act, alpha, gain, clamp)


def plain_bias_act(
    x: Tensor,
    b: Tensor | None = None,
    dim: int = 1,
    act: str = "linear",
    alpha: float | None = None,
    gain: float | None = None,
    clamp: float | None = None,
) -> Tensor:
    """`bias_act` in torch alone, with the same arguments, result and errors."""
    function, act_gain = _activation(act)
    _check_bias(x, b, dim)
    if b is not None:
        x = x + b.to(x.dtype).reshape([-1 if i == dim % x.ndim else 1 for i in range(x.ndim)])
    x = function(x, _LRELU_SLOPE if alpha is None else alpha)
    gain = act_gain if gain is None else gain
    if gain != 1:
        x = x * gain
    if clamp is not None and clamp >= 0:
        x = x.clamp(-clamp, clamp)
    return x


def _check_bias(x: Tensor, b: Tensor | None, dim: int) -> None:
    if b is not None and (b.ndim != 1 or b.shape[0] != x.shape[dim]):
        raise ValueError(f"bias of shape {tuple(b.shape)} does not fit dimension {dim} of {tuple(x.shape)}")


def _prefers_native(x: Tensor, b: Tensor | None, act: str, alpha: float, gain: float) -> bool:
    """Whether the native kernels can do it, and are likely faster."""
    if x.numel() < _LEAST_NUMEL or x.dtype not in _DTYPES or (b is not None and b.device != x.device):
        return False
    if act in _STRAIGHT:
        if gain <= 0 or (act == "lrelu" and alpha <= 0):  # their derivatives are read off the result's sign
            return False
    elif x.device.type == "cpu":  # torch's exponentials are vectorised there, ours are not
        return False
    return not native.is_traced() and native.available(x.device.type)


def _activation(act: str) -> tuple[Callable[[Tensor, float], Tensor], float]:
    if act not in ACTIVATIONS:
        raise ValueError(f"unknown activation {act!r}; known: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[act]
