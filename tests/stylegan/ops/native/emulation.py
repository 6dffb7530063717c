"""How tests call the emulated kernels: tensors and numbers as C takes them."""

import ctypes
from typing import Any

import pytest
import torch
from torch import Tensor

__all__ = [
    "DTYPES",
    "EACH_DTYPE",
    "demodulate",
    "finish_layer",
    "lay_out",
    "layout",
    "numbers",
    "pointer",
    "scale_channels",
    "to_rgb",
]

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
"""As emulated.cpp numbers them."""
EACH_DTYPE = [
    pytest.param(dtype, id=str(dtype), marks=[pytest.mark.slow] * (dtype.itemsize < 4)) for dtype in DTYPES
]
"""The same as a test's parameter: half precision is compiled for slow tests alone."""


def pointer(x: Tensor | None) -> ctypes.c_void_p:
    """Where a tensor's data begins; null for None."""
    return ctypes.c_void_p(None if x is None else x.data_ptr())


def numbers(*values: int) -> "ctypes.Array[ctypes.c_int64]":
    """An array of 64-bit integers."""
    return (ctypes.c_int64 * len(values))(*values)


def layout(is_last: bool) -> torch.memory_format:
    """Channels last or first."""
    return torch.channels_last if is_last else torch.contiguous_format


def finish_layer(
    library: ctypes.CDLL,
    x: Tensor,
    demodulation: Tensor,
    noise: Tensor | None,
    bias: Tensor,
    taps: Tensor | None,
    slope: float = 0.2,
    gain: float = 1.5,
    clamp: float = -1.0,
    *,
    is_packed: bool = True,
) -> tuple[Tensor, int]:
    """`bend::finish_layer` by the CUDA kernel, and how many elements a thread took at once.

    With `is_packed` False, a thread takes one at a time. What the kernel does not write is NaN.
    """
    n, channels, height, width = x.shape
    crop = 0 if taps is None else 1
    is_last = not x.is_contiguous()
    out = torch.full((n, channels, height - crop, width - crop), torch.nan, dtype=x.dtype)
    out = out.contiguous(memory_format=layout(is_last))
    is_shared = noise is not None and noise.shape[0] == 1
    sizes = numbers(n, channels, height - crop, width - crop, is_last, is_shared, is_packed)
    settings = (ctypes.c_float * 3)(slope, gain, _bound(clamp))
    operands = [pointer(tensor) for tensor in (x, demodulation, noise, bias, taps, out)]
    return out, library.finish_layer(DTYPES.index(x.dtype), *operands, sizes, settings)


def to_rgb(
    library: ctypes.CDLL, x: Tensor, weights: Tensor, bias: Tensor, clamp: float, *, is_packed: bool = True
) -> tuple[Tensor, int]:
    """The same for `bend::to_rgb`."""
    n, channels, height, width = x.shape
    is_last = x.is_contiguous(memory_format=torch.channels_last)
    out = torch.full((n, len(bias), height, width), torch.nan)
    sizes = numbers(n, channels, len(bias), height * width, is_last, is_packed)
    operands: list[Any] = [pointer(tensor) for tensor in (x, weights, bias, out)]
    bound = ctypes.c_float(_bound(clamp))
    return out, library.to_rgb(DTYPES.index(x.dtype), *operands, sizes, bound)


def demodulate(
    library: ctypes.CDLL, weight: Tensor, styles: Tensor, is_bounded: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """`bend::demodulate`; what the kernel does not write is NaN."""
    (n, inputs), outputs = styles.shape, len(weight)
    demodulation, scales = torch.full((n, outputs), torch.nan), torch.full((n, inputs), torch.nan)
    gains = torch.full((outputs,), torch.nan)
    operands = [pointer(tensor) for tensor in (weight, styles, demodulation, scales, gains)]
    library.demodulate(*operands, numbers(n, outputs, inputs, is_bounded))
    return demodulation, scales, gains


def lay_out(
    library: ctypes.CDLL,
    x: Tensor,
    weight: Tensor,
    gains: Tensor,
    scales: Tensor | None,
    is_transposed: bool,
) -> Tensor:
    """`bend::lay_out`."""
    outputs, inputs = weight.shape[:2]
    shape = (inputs, 3, 3, outputs) if is_transposed else (outputs, 3, 3, inputs)
    out = torch.full(shape, torch.nan, dtype=x.dtype)
    operands = [pointer(tensor) for tensor in (weight, gains, scales, out)]
    library.lay_out(DTYPES.index(x.dtype), *operands, numbers(outputs, inputs, is_transposed))
    return out.permute(0, 3, 1, 2)


def scale_channels(library: ctypes.CDLL, x: Tensor, scales: Tensor) -> tuple[Tensor, int]:
    """`bend::scale_channels`, and how many elements a thread took at once."""
    n, channels, height, width = x.shape
    is_last = x.is_contiguous(memory_format=torch.channels_last)
    out = torch.full_like(x, torch.nan)
    sizes = numbers(n * channels * height * width, height * width, channels if is_last else 1)
    operands = [pointer(tensor) for tensor in (x, scales, out)]
    return out, library.scale_channels(DTYPES.index(x.dtype), *operands, sizes)


def _bound(clamp: float) -> float:
    return float("inf") if clamp < 0 else clamp
