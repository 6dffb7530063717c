"""Which dtype and memory layout a block runs in.

Half-precision blocks (`num_fp16_res`) use float16 on accelerators. On a CPU they run in float32 unless a dtype is
asked for (`set_half_dtype`), since which half precision is fast, if any, depends on the processor. CPU convolutions
are fastest with channels last, and so are half-precision ones on CUDA.
"""

import torch
from torch import Tensor, nn

__all__ = ["block_dtype", "block_format", "set_half_dtype"]


def block_dtype(reference: Tensor, use_half: bool, half_dtype: torch.dtype | None) -> torch.dtype:
    """The dtype a block computes in, given a full-precision tensor on its device."""
    if not use_half:
        return reference.dtype
    if half_dtype is not None:
        return half_dtype
    return reference.dtype if reference.device.type == "cpu" else torch.float16


def block_format(x: Tensor, dtype: torch.dtype | None = None) -> torch.memory_format:
    """The memory format a block computes in, given its input and, where it is yet to be cast, its dtype."""
    is_half = (x.dtype if dtype is None else dtype) in (torch.float16, torch.bfloat16)
    if x.device.type == "cpu" or (x.device.type == "cuda" and is_half):
        return torch.channels_last
    return torch.contiguous_format


def set_half_dtype(network: nn.Module, dtype: torch.dtype | None) -> None:
    """Choose what the network's half-precision blocks run in; None for the device's default."""
    for module in network.modules():
        if hasattr(module, "half_dtype"):
            setattr(module, "half_dtype", dtype)  # noqa: B010 - typed by the blocks that have it
