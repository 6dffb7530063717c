"""Bends of the weights: filters are perturbed, silenced, shuffled, quantised or turned, or their spectra remapped.

Each is a function from a parameter `[O, …]`, filters (output channels) first, to another of the same shape.
`bend.bends.player` chooses the filters and restores the network afterwards. Demodulation would cancel a gain on the
weights of a convolution (Karras et al., arXiv 1912.04958, section 2.2), so the table's `gain` acts after it.
"""

import math

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "halves",
    "kernel_flip_h",
    "kernel_flip_v",
    "negate",
    "normalise",
    "permute",
    "perturb",
    "prune",
    "quantise",
    "spectrum",
    "svd",
    "swap",
    "turn",
    "zero",
]

_EXACT_BITS = 24  # float32 has no more


def perturb(weight: Tensor, sigma: float, seed: int) -> Tensor:
    """`W + sigma * std(W) * eps`."""
    noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed)).to(weight)
    return weight + sigma * weight.std(correction=0) * noise


def zero(weight: Tensor, fraction: float, seed: int) -> Tensor:
    """A random fraction of the filters silenced."""
    chosen = _choose(weight, fraction, seed)
    return weight.index_fill(0, chosen, 0)


def negate(weight: Tensor, fraction: float, seed: int) -> Tensor:
    """A random fraction of the filters with their signs changed."""
    chosen = _choose(weight, fraction, seed)
    return weight.index_copy(0, chosen, -weight[chosen])


def permute(weight: Tensor, fraction: float, seed: int) -> Tensor:
    """A random fraction of the filters, shuffled among themselves."""
    chosen = _choose(weight, fraction, seed)
    order = np.random.default_rng([seed, 1]).permutation(len(chosen))
    return weight.index_copy(0, chosen, weight[chosen[torch.from_numpy(order).to(chosen.device)]])


def swap(weight: Tensor, fraction: float, seed: int) -> Tensor:
    """A random fraction of the filters, exchanged in pairs."""
    chosen = _choose(weight, fraction, seed)
    num_pairs = len(chosen) // 2
    chosen = chosen[
        torch.from_numpy(np.random.default_rng([seed, 2]).permutation(len(chosen))).to(chosen.device)
    ]
    one, other = chosen[:num_pairs], chosen[num_pairs : 2 * num_pairs]
    return weight.index_copy(0, torch.cat([one, other]), weight[torch.cat([other, one])])


def quantise(weight: Tensor, bits: float) -> Tensor:
    """Round to 2^bits values, evenly spread from `-max|W|` to `max|W|`; 1 bit leaves the signs."""
    peak = weight.abs().max()
    if bits >= _EXACT_BITS or peak == 0:
        return weight.clone()
    steps = 2**bits - 1
    rounded = (torch.round((weight / peak + 1) / 2 * steps) / steps * 2 - 1) * peak
    # Rounding has no gradient to learn by, so in a training that of the unrounded weight is taken.
    return weight + (rounded - weight).detach() if weight.requires_grad else rounded


def prune(weight: Tensor, fraction: float) -> Tensor:
    """The `fraction` of weights that are nearest to zero set to zero."""
    num = min(round(fraction * weight.numel()), weight.numel())
    if num == 0:
        return weight.clone()
    smallest = weight.abs().flatten().argsort(stable=True)[:num]
    return weight.flatten().index_fill(0, smallest, 0).view_as(weight)


def svd(weight: Tensor, rank: float) -> Tensor:
    """Keep the `rank` greatest singular values of the filters, taken as rows; a fraction keeps part of the next."""
    u, s, v = torch.linalg.svd(weight.flatten(1), full_matrices=False)
    if rank >= len(s):
        return weight.clone()
    kept = (rank - torch.arange(len(s), device=s.device)).clamp(0, 1)
    return ((u * (s * kept)) @ v).view_as(weight)


def spectrum(weight: Tensor, power: float) -> Tensor:
    """Remap singular values: `s_max (s / s_max)^power`; 0 makes all directions equal, 2 favours the strong."""
    if power == 1:
        return weight.clone()
    u, s, v = torch.linalg.svd(weight.flatten(1), full_matrices=False)
    if s[0] == 0:
        return weight.clone()
    return ((u * (s[0] * (s / s[0]) ** power)) @ v).view_as(weight)


def turn(weight: Tensor, quarters: int) -> Tensor:
    """Kernels, or the constant's maps, turned by quarter turns, counter-clockwise."""
    return weight.rot90(quarters, dims=(-2, -1))


def kernel_flip_h(weight: Tensor) -> Tensor:
    """Columns of the kernels in reverse."""
    return weight.flip(-1)


def kernel_flip_v(weight: Tensor) -> Tensor:
    """Rows of the kernels in reverse."""
    return weight.flip(-2)


def halves(weight: Tensor) -> Tensor:
    """The left and right halves of the constant's maps `[C, H, W]` exchanged."""
    return weight.roll(weight.shape[-1] // 2, dims=-1)


def normalise(weight: Tensor) -> Tensor:
    """Each of the constant's maps `[C, H, W]` with mean 0 and deviation 1."""
    centred = weight - weight.mean(dim=(-2, -1), keepdim=True)
    deviation = centred.square().mean(dim=(-2, -1), keepdim=True).sqrt()
    return centred / deviation.clamp(min=1e-8)


def _choose(weight: Tensor, fraction: float, seed: int) -> Tensor:
    """A random `fraction` of the filters, sorted; a greater fraction includes the filters of a smaller one."""
    num = math.floor(fraction * weight.shape[0] + 0.5)
    order = np.random.default_rng([seed, 0]).permutation(weight.shape[0])
    return torch.from_numpy(np.sort(order[:num])).to(weight.device)
