"""A to-RGB layer in one pass over the activations: the fast path of `ToRGBLayer`."""

import torch
from torch import Tensor

from stylegan.inference import kernels
from stylegan.inference.serving import may_serve

__all__ = ["rgb_layer"]


def rgb_layer(
    x: Tensor, weight: Tensor, styles: Tensor, bias: Tensor, *, clamp: float | None
) -> Tensor | None:
    """Compute a to-RGB layer, or return None where the plain one must.

    Args:
        x: `[N, I, H, W]`.
        weight: `[C, I, 1, 1]`.
        styles: `[N, I]`, with the weight's gain in them.
        bias: `[C]`.
        clamp: symmetric bound, None for none.

    Returns:
        float32 `[N, C, H, W]`, whatever `x`'s precision; None where this path does not apply.
    """
    if not may_serve(x, weight, styles, bias) or not _fits(x, weight, styles):
        return None
    weights = weight.flatten(1)[None] * styles[:, None]  # [N, C, I]
    return kernels.to_rgb(x, weights, bias.contiguous(), -1.0 if clamp is None else clamp)


def _fits(x: Tensor, weight: Tensor, styles: Tensor) -> bool:
    return (
        x.dtype in (torch.float32, torch.float16, torch.bfloat16)
        and tuple(weight.shape[2:]) == (1, 1)
        and tuple(styles.shape) == tuple(x.shape[:2])
        and kernels.serves(x)
    )
