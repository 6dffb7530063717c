"""Tensors as a pickle describes them, checked, and then read from the file to where they will live.

A tensor is a window (offset, sizes, strides) on a storage, and a storage a stretch of the file. Both are checked
when they are recorded: types, bytes against numbers, and that the window lies inside. Nothing is allocated until a
network asks for a tensor of the shape that it has. Python's integers do not overflow.
"""

import dataclasses
import math

import torch
from torch import Tensor

from stylegan.checkpoint.legacy.bounds import DAMAGED, RefusedError
from stylegan.checkpoint.legacy.records import Arguments
from stylegan.checkpoint.legacy.source import Source

__all__ = ["STORAGE_DTYPES", "StorageRecord", "TensorRecord"]

STORAGE_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
"""Names of `torch.*Storage` that a file may use: weights, and the counters of optimisers."""
_MAX_DIMENSIONS = 8
_MAX_STRETCH = 4  # times a tensor's own size that it may span in a storage: a slice, no more


@dataclasses.dataclass(slots=True, eq=False, repr=False)
class StorageRecord:
    """Numbers in the file, one after another."""

    source: Source
    numel: int
    """How many numbers."""
    dtype: torch.dtype
    start: int = -1
    """First byte in the source, known only once the whole pickle has been read."""

    @property
    def num_bytes(self) -> int:
        """Bytes in all."""
        return self.numel * self.dtype.itemsize

    def place(self, start: int) -> None:
        """Say where the numbers begin.

        Raises:
            RefusedError: there are not that many from there on.
        """
        if self.num_bytes > self.source.size - start:
            raise RefusedError(
                "has a storage that goes on past its end: a download cut short; fetch it again"
            )
        self.start = start


@dataclasses.dataclass(frozen=True, slots=True, eq=False, repr=False)
class TensorRecord:
    """A window on a storage."""

    storage: StorageRecord
    offset: int
    """First number in the storage."""
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.shape) > _MAX_DIMENSIONS or len(self.shape) != len(self.stride):
            raise RefusedError(f"has a tensor of {len(self.shape)} dimensions; {DAMAGED}")
        if not all(type(n) is int and n >= 0 for n in (self.offset, *self.shape, *self.stride)):
            raise RefusedError(f"has a tensor with a size, stride or offset below 0; {DAMAGED}")
        if self.offset + self.extent > self.storage.numel:
            raise RefusedError(f"has a tensor that reaches outside its storage; {DAMAGED}")

    @classmethod
    def from_rebuild(cls, arguments: Arguments) -> "TensorRecord":
        """From the arguments of `_rebuild_tensor_v2`: storage, offset, size, stride, and what follows.

        Raises:
            RefusedError: arguments that it does not take, or a tensor that its storage does not hold.
        """
        storage, offset, shape, stride = arguments[:4] if 6 <= len(arguments) <= 7 else (None,) * 4
        if not isinstance(storage, StorageRecord) or type(offset) is not int:
            raise RefusedError(f"has a tensor without storage; {DAMAGED}")
        if type(shape) is not tuple or type(stride) is not tuple:
            raise RefusedError(f"has a tensor without shape; {DAMAGED}")
        return cls(storage, offset, shape, stride)

    @classmethod
    def from_parameter(cls, arguments: Arguments) -> "TensorRecord":
        """From the arguments of `_rebuild_parameter`, the first of which is a tensor.

        Raises:
            RefusedError: it is not one.
        """
        tensor = arguments[0] if len(arguments) == 3 else None
        if not isinstance(tensor, TensorRecord):
            raise RefusedError(f"has a parameter that is not a tensor; {DAMAGED}")
        return tensor

    @property
    def extent(self) -> int:
        """How many numbers of the storage it spans, from its first to its last."""
        if 0 in self.shape:
            return 0
        return 1 + sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True))

    def read(self) -> Tensor:
        """The tensor as contiguous float32, in memory of its own.

        Raises:
            RefusedError: not floating-point, scattered over much more than its own size, or over the budget.
        """
        dtype, extent = self.storage.dtype, self.extent
        if not dtype.is_floating_point:
            raise RefusedError(f"has weights of type {dtype}; only floating-point ones are read")
        if extent > _MAX_STRETCH * math.prod(self.shape):
            raise RefusedError(f"has a tensor scattered over its storage; {DAMAGED}")
        source = self.storage.source
        assert self.storage.start >= 0
        source.meter.take_weights(max(extent, math.prod(self.shape)) * max(dtype.itemsize, 4))
        flat = torch.empty(extent, dtype=dtype, device="cpu")
        source.read_into(
            self.storage.start + self.offset * dtype.itemsize, flat.view(torch.uint8).numpy().data
        )
        window = flat.as_strided(self.shape, self.stride)
        return window.to(torch.float32).contiguous()
