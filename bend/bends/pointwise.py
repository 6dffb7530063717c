"""Bends of each value by itself: the signal is distorted as by a fuzz pedal or a bit crusher.

Ablate, invert, multiply and threshold are those of network bending (Broad, Leymarie & Grierson, arXiv 2005.12420). Each
function takes the signal `x [N, C, …]` and gives another of the same shape and dtype.
"""

import functools

import torch
from torch import Tensor

__all__ = ["ablate", "add", "drive", "fold", "grain", "invert", "multiply", "posterise", "threshold"]


def ablate(x: Tensor) -> Tensor:
    """0 everywhere."""
    return torch.zeros_like(x)


def invert(x: Tensor) -> Tensor:
    """`1 - x`."""
    return 1 - x


def multiply(x: Tensor, factor: float) -> Tensor:
    """`factor * x`."""
    return x * factor


def add(x: Tensor, amount: float) -> Tensor:
    """`x + amount`."""
    return x + amount


def threshold(x: Tensor, level: float) -> Tensor:
    """1 where `x > level`, else 0."""
    return (x > level).to(x.dtype)


def fold(x: Tensor) -> Tensor:
    """`|x|`."""
    return x.abs()


def drive(x: Tensor, gain: float) -> Tensor:
    """Saturation, `tanh(gain * x)`."""
    return torch.tanh(x * gain)


def posterise(x: Tensor, levels: float) -> Tensor:
    """Round each channel to `levels` values, evenly spread from its least to its greatest.

    A channel without height and width has only one value, so there the channels of a picture are taken together.
    """
    dims = tuple(range(2, x.ndim)) or (1,)
    low, high = x.amin(dim=dims, keepdim=True), x.amax(dim=dims, keepdim=True)
    step = (high - low) / (levels - 1)
    is_flat = step <= 0
    steps = torch.round((x - low) / step.masked_fill(is_flat, 1))
    return torch.where(is_flat, x, (low + steps * step).minimum(high))


def grain(x: Tensor, sigma: float, seed: int) -> Tensor:
    """`x + sigma * std(x) * eps`, with the same seeded `eps [C, …]` for every picture."""
    work = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x  # squares would overflow
    deviation = work.std(dim=tuple(range(1, x.ndim)), keepdim=True, correction=0)
    return x + (sigma * deviation * _noise(tuple(x.shape[1:]), seed).to(work)).to(x.dtype)


@functools.lru_cache(maxsize=8)
def _noise(shape: tuple[int, ...], seed: int) -> Tensor:
    with torch.inference_mode(False):  # a training may use the cached tensors later
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
