"""The running average of the generator's weights that one looks at (`G_ema`)."""

import torch
from torch import Tensor, nn

__all__ = ["ema_beta", "update_ema"]


def ema_beta(batch: int, ema_kimg: float, cur_nimg: int, rampup: float | None) -> float:
    """Decay a step: a half-life of `ema_kimg`, at most `rampup` times the images seen so far."""
    half_life_nimg = ema_kimg * 1000
    if rampup is not None:
        half_life_nimg = min(half_life_nimg, cur_nimg * rampup)
    return 0.5 ** (batch / max(half_life_nimg, 1e-8))


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, beta: float) -> None:
    """Move `average`'s parameters towards `network`'s by `1 - beta`; copy its buffers."""
    averages: list[Tensor] = list(average.parameters())
    weights: list[Tensor] = list(network.parameters())
    if hasattr(torch, "_foreach_lerp_"):  # what torch's own averages use, but never promised
        torch._foreach_lerp_(averages, weights, 1 - beta)
    else:
        for mean, weight in zip(averages, weights, strict=True):
            mean.lerp_(weight, 1 - beta)
    for buffer, source in zip(average.buffers(), network.buffers(), strict=True):
        buffer.copy_(source)
