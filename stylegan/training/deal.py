"""How a batch is divided: among processes in whole groups, within each into micro-batches, and what each sample draws.

A sample is known by its number in the whole batch, and everything random about it is a function of (seed, step, phase,
number). The discriminator compares the samples of a group (minibatch standard deviation). Groups are runs of
consecutive samples of the whole batch, ordered within micro-batches such that the discriminator forms the same groups.
So a batch gives the same result to rounding on one process and on several, in large micro-batches and in small. Only
micro-batches smaller than a group change what is computed: each is a group of its own.
"""

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray

from stylegan.discriminator import Discriminator
from stylegan.draws import SampleDraws
from stylegan.errors import TrainingError

__all__ = ["Share", "deal", "group_size", "parts", "sample_draws", "whole_groups"]

# Numbers drawn at once for each sample on the device: noise of up to 64 pixels, or 512 where each draw is a launch.
_NOISE_BLOCK = 16384
_CUDA_NOISE_BLOCK = 2**18
_PAIR = 2  # the path length takes every second sample, and every process must have one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Consecutive samples of a batch that one process computes."""

    start: int
    """Number of the first of them in the whole batch."""
    stop: int
    """One beyond the last of them."""
    batch: int
    """Samples of the whole batch."""

    def __len__(self) -> int:
        return self.stop - self.start


def group_size(D: Discriminator, batch: int) -> int:
    """Samples that `D` compares with one another in a batch of `batch`; 1 where it compares none."""
    if not D.b4.mbstd_num_channels:
        return 1
    return _largest_divisor(batch, D.b4.mbstd_group_size or batch)


def deal(D: Discriminator, batch: int, rank: int = 0, size: int = 1) -> Share:
    """The share of process `rank` of `size`: whole groups, as evenly as they go.

    Raises:
        TrainingError: there are fewer groups than processes.
    """
    unit = max(group_size(D, batch), _PAIR)
    num_units = -(-batch // unit)
    if num_units < size:
        raise TrainingError(
            f"--batch {batch}: too few for {size} processes, each of which takes whole groups of {unit} pictures; "
            f"give --batch {unit * size} or more, or fewer processes"
        )
    start, stop = (min(num_units * part // size * unit, batch) for part in (rank, rank + 1))
    return Share(start=start, stop=stop, batch=batch)


def whole_groups(D: Discriminator, batch: int, micro_batch: int) -> int:
    """The largest micro-batch up to `micro_batch` that holds whole groups, or parts a group evenly."""
    group = group_size(D, batch)
    if micro_batch <= group:
        return _largest_divisor(group, micro_batch)
    return min(micro_batch - micro_batch % group, batch)


def parts(D: Discriminator, share: Share, micro_batch: int) -> list[NDArray[np.int64]]:
    """The micro-batches of a share as numbers in the whole batch, in an order in which `D` forms the same groups."""
    group = group_size(D, share.batch)
    result = []
    start = share.start
    while start < share.stop:
        num = min(micro_batch, share.stop - start)
        if num > group != group_size(D, num):  # D would form other groups of this many
            num = group
        numbers = np.arange(start, start + num)
        if num > group > 1:
            numbers = numbers.reshape(-1, group).T.reshape(-1)  # D groups samples that lie len / group apart
        result.append(numbers)
        start += num
    return result


def sample_draws(
    key: tuple[int, ...], numbers: NDArray[np.int64], device: torch.device
) -> tuple[SampleDraws, SampleDraws]:
    """Random sources of the samples `numbers`, keyed by (seed, step, phase): on the CPU, and on `device`."""
    seeds = np.random.SeedSequence(key).generate_state(2 * (int(numbers.max()) + 1), np.uint64) >> np.uint64(
        1
    )
    on_cpu, on_device = seeds[2 * numbers], seeds[2 * numbers + 1]
    block = _CUDA_NOISE_BLOCK if device.type == "cuda" else _NOISE_BLOCK
    return SampleDraws(on_cpu.tolist()), SampleDraws(on_device.tolist(), device, block=block)


def _largest_divisor(number: int, most: int) -> int:
    return max(divisor for divisor in range(1, min(number, most) + 1) if number % divisor == 0)
