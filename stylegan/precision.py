"""Which dtype and memory layout a block runs in.

Half-precision blocks (`num_fp16_res`) use float16 on accelerators. On a CPU they run in float32 unless a dtype is
asked for (`set_half_dtype`, `set_precision`), since which half precision is fast, if any, depends on the processor. CPU
convolutions are fastest with channels last, and so are those on CUDA's matrix units, in half precision and in
TensorFloat-32.
"""

from typing import Any

import torch
from torch import Tensor, nn

from stylegan.device import allows_tf32

__all__ = [
    "PRECISIONS",
    "block_dtype",
    "block_format",
    "is_half_block",
    "precision_of",
    "set_half_dtype",
    "set_precision",
]

PRECISIONS: dict[str, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_NUM_HALF_BLOCKS = 4  # of a network that says nothing, as in the published ones
_LOWEST_HALF_RESOLUTION = 8


def is_half_block(resolution: int, img_resolution: int, num_fp16_res: int) -> bool:
    """Whether a block is one of the `num_fp16_res` highest resolutions, which run in half precision; 4×4 never does."""
    return resolution >= _LOWEST_HALF_RESOLUTION and resolution * 2**num_fp16_res > img_resolution


def block_dtype(reference: Tensor, use_half: bool, half_dtype: torch.dtype | None) -> torch.dtype:
    """The dtype a block computes in, given a full-precision tensor on its device."""
    if not use_half:
        return reference.dtype
    if half_dtype is not None:
        return half_dtype
    return reference.dtype if reference.device.type == "cpu" else torch.float16


def block_format(x: Tensor, dtype: torch.dtype | None = None) -> torch.memory_format:
    """The memory format a block computes in, given its input and, where it is yet to be cast, its dtype."""
    if x.device.type == "cpu":
        return torch.channels_last
    is_half = (x.dtype if dtype is None else dtype) in (torch.float16, torch.bfloat16)
    if x.device.type == "cuda" and (is_half or allows_tf32()[0]):
        return torch.channels_last
    return torch.contiguous_format


def set_half_dtype(network: nn.Module, dtype: torch.dtype | None) -> None:
    """Choose what the network's half-precision blocks run in; None for the device's default."""
    for module in network.modules():
        if hasattr(module, "half_dtype"):
            setattr(module, "half_dtype", dtype)  # noqa: B010 - typed by the blocks that have it


def set_precision(network: nn.Module, precision: str) -> None:
    """Have a network compute in a precision: the highest resolutions, the lowest ones always in float32.

    Half precision goes to the blocks that were trained in it, or to the four highest resolutions where none was.

    Args:
        network: a generator or a discriminator.
        precision: a key of `PRECISIONS`.

    Raises:
        ValueError: unknown precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}; known: {', '.join(PRECISIONS)}")
    blocks = _blocks(network)
    if precision != "fp32" and not any(block.use_fp16 for block in blocks):
        for block in sorted(blocks, key=lambda block: block.resolution)[-_NUM_HALF_BLOCKS:]:
            block.use_fp16 = block.resolution >= _LOWEST_HALF_RESOLUTION
    set_half_dtype(network, PRECISIONS[precision])


def precision_of(network: nn.Module) -> str:
    """What a network's highest resolutions run in, as a key of `PRECISIONS`."""
    names = {dtype: name for name, dtype in PRECISIONS.items()}
    reference = next(network.parameters(), torch.zeros(0))
    used = {block_dtype(reference, block.use_fp16, block.half_dtype) for block in _blocks(network)}
    return next((names[dtype] for dtype in used if dtype in (torch.float16, torch.bfloat16)), "fp32")


def _blocks(network: nn.Module) -> list[Any]:
    return [module for module in network.modules() if hasattr(module, "half_dtype")]
