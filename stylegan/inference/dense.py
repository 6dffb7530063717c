"""A linear layer for a few rows: the fast path of `DenseLayer`, for styles.

A network turns each w into some twenty styles, and each product reads a megabyte of weights for one row: more than a
twentieth of a picture's time where a single thread does it.
"""

from torch import Tensor

from stylegan.inference import kernels
from stylegan.inference.serving import may_serve

__all__ = ["dense_layer"]


def dense_layer(
    x: Tensor, weight: Tensor, bias: Tensor, *, weight_gain: float, bias_gain: float
) -> Tensor | None:
    """Compute `x @ weight.T * weight_gain + bias * bias_gain`, or return None where torch must.

    Args:
        x: `[N, I]`.
        weight: `[O, I]`.
        bias: `[O]`.
        weight_gain: scales the products.
        bias_gain: scales the bias.

    Returns:
        float32 `[N, O]`; None where this path does not apply.
    """
    if not may_serve(x, x, weight, bias) or not _fits(x, weight, bias):
        return None
    return kernels.dense(x, weight, bias, weight_gain, bias_gain)


def _fits(x: Tensor, weight: Tensor, bias: Tensor) -> bool:
    return (
        x.ndim == 2
        and x.shape[1] == weight.shape[1]
        and weight.is_contiguous()
        and bias.is_contiguous()
        and kernels.serves_rows(x)
    )
