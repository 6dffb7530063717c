"""The memory that a step takes, and the largest micro-batch that fits.

The estimate is a number of bytes for each value of a feature map, fitted to peaks that `benchmarks/train_memory.py`
measured. Where it is too low on an accelerator, `step` halves the micro-batch and goes on.
"""

import torch
from torch import nn

from stylegan.device import free_bytes
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator
from stylegan.training.state import TrainState

__all__ = ["fit_micro_batch", "sample_bytes", "snapshot_bytes", "state_bytes", "step_bytes"]

# Bytes alive at the peak of a step per value of a feature map, as measured by benchmarks/train_memory.py.
_BYTES_PER_FEATURE = 32
_PROCESS_BYTES = 350_000_000  # Python and torch themselves, where training shares their memory
_MAX_CPU_MICRO_BATCH = 32


def sample_bytes(G: Generator, D: Discriminator) -> int:
    """Bytes that one image of a micro-batch takes at the peak of a step (an estimate)."""
    num_features = 0
    for network in (G.synthesis, D):
        for block in network.blocks():
            num_features += 2 * block.conv1.weight.shape[1] * block.resolution**2
    return num_features * _BYTES_PER_FEATURE


def step_bytes(state: TrainState, micro_batch: int) -> int:
    """Bytes that training takes on its device: weights, gradients, Adam's moments, a micro-batch (an estimate)."""
    process = 0 if state.pl_mean.device.type == "cuda" else _PROCESS_BYTES
    weights = state_bytes(state) + _bytes_of_trained(state, per_weight=1)
    return process + weights + sample_bytes(state.G, state.D) * micro_batch


def state_bytes(state: TrainState) -> int:
    """Bytes of a saved state: weights and Adam's two moments."""
    return _bytes_of(state.G, state.D, state.G_ema) + _bytes_of_trained(state, per_weight=2)


def snapshot_bytes(state: TrainState, dtype: torch.dtype | None) -> int:
    """Bytes of a snapshot stored as `dtype`, float32 if None."""
    num_bytes = _bytes_of(state.G, state.D, state.G_ema)
    return num_bytes if dtype is None else num_bytes * dtype.itemsize // 4


def fit_micro_batch(
    G: Generator, D: Discriminator, batch: int, device: torch.device, *, num_sharing: int = 1
) -> int:
    """The largest divisor of `batch` whose step should fit into half of the free memory.

    Args:
        G: generator.
        D: discriminator.
        batch: images of a step.
        device: where the step runs.
        num_sharing: processes that share that memory, each with such a step.
    """
    fitting = max(free_bytes(device) // 2 // num_sharing // sample_bytes(G, D), 1)
    limit = min(fitting, batch, _MAX_CPU_MICRO_BATCH if device.type == "cpu" else batch)
    return max(size for size in range(1, int(limit) + 1) if batch % size == 0)


def _bytes_of_trained(state: TrainState, per_weight: int) -> int:
    groups = [group for optimizer in (state.G_opt, state.D_opt) for group in optimizer.param_groups]
    return per_weight * sum(parameter.nbytes for group in groups for parameter in group["params"])


def _bytes_of(*networks: nn.Module) -> int:
    return sum(tensor.nbytes for network in networks for tensor in network.state_dict().values())
