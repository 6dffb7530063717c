"""Bias, activation, gain and clamp in one call: `clamp(gain * act(x + b))`.

The activations and their default gains are those of StyleGAN2 (arXiv 1912.04958): a gain of √2 keeps the variance
of a rectified unit near one under He scaling. Plain torch throughout, so every derivative exists.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["ACTIVATIONS", "bias_act", "default_gain"]

# name -> (function of x and alpha, default gain). Only lrelu reads alpha.
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


def default_gain(act: str) -> float:
    """The gain that `bias_act` applies after activation `act` when told none.

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
    function, act_gain = _activation(act)
    if b is not None:
        if b.ndim != 1 or b.shape[0] != x.shape[dim]:
            raise ValueError(
                f"bias of shape {tuple(b.shape)} does not fit dimension {dim} of {tuple(x.shape)}"
            )
        x = x + b.to(x.dtype).reshape([-1 if i == dim % x.ndim else 1 for i in range(x.ndim)])
    x = function(x, _LRELU_SLOPE if alpha is None else alpha)
    gain = act_gain if gain is None else gain
    if gain != 1:
        x = x * gain
    if clamp is not None and clamp >= 0:
        x = x.clamp(-clamp, clamp)
    return x


def _activation(act: str) -> tuple[Callable[[Tensor, float], Tensor], float]:
    if act not in ACTIVATIONS:
        raise ValueError(f"unknown activation {act!r}; known: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[act]
