"""Adam for lazily regularised networks, and the guard against gradients that are not finite.

Lazy regularisation (arXiv 1912.04958, appendix B): a network that takes an extra regularisation step every k steps has
its learning rate and betas scaled by `c = k / (k + 1)`, so that both together move it as far as a single loss would.
"""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.utils import get_total_norm

__all__ = ["lazy_adam", "mend_gradients"]

_LARGE = 1e5


def lazy_adam(parameters: Iterable[nn.Parameter], lr: float, interval: int | None) -> torch.optim.Adam:
    """Adam(0, 0.99, 1e-8) for a network regularised every `interval` steps, None for never."""
    c = 1.0 if interval is None else interval / (interval + 1)
    parameters = list(parameters)
    fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
    return torch.optim.Adam(parameters, lr=lr * c, betas=(0.0, 0.99**c), eps=1e-8, fused=fused)


def mend_gradients(parameters: Iterable[nn.Parameter]) -> int:
    """Replace NaN by 0 and infinities by ±1e5 in the gradients; returns how many values were mended."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return 0
    if bool(get_total_norm(gradients).isfinite()):  # any bad value would have spoiled it
        return 0
    num_bad = 0
    for gradient in gradients:
        num_bad += int((~torch.isfinite(gradient)).sum())
        torch.nan_to_num(gradient, nan=0.0, posinf=_LARGE, neginf=-_LARGE, out=gradient)
    return num_bad
