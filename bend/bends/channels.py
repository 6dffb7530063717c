"""Bends that hand the signal of one channel to another, as if patch cords were plugged in elsewhere."""

import math

import numpy as np
import torch
from torch import Tensor

__all__ = ["roll", "shuffle"]


def shuffle(x: Tensor, seed: int) -> Tensor:
    """Channels of `x [N, C, …]` in a random order, the same for the same seed and number of channels."""
    order = np.random.default_rng(seed).permutation(x.shape[1])
    return x[:, torch.from_numpy(order).to(x.device)]


def roll(x: Tensor, steps: float) -> Tensor:
    """Move channel `c` of `x [N, C, …]` to `c + steps`, wrapping around; crossfades between whole steps."""
    whole = math.floor(steps)
    share = steps - whole
    rolled = x.roll(whole, dims=1)
    return rolled if share == 0 else rolled.lerp(x.roll(whole + 1, dims=1), share)
