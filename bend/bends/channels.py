"""Bends that hand the signal of one channel to another: the patch cords plugged in anew."""

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
    """Channel `c` of `x [N, C, …]` moves to `c + steps`, round the end; between whole steps, a crossfade."""
    whole = math.floor(steps)
    share = steps - whole
    rolled = x.roll(whole, dims=1)
    return rolled if share == 0 else rolled.lerp(x.roll(whole + 1, dims=1), share)
