"""Numpy's arrays, scalars and dtypes as a pickle describes them: records, checked, never numpy's own functions.

Only plain numbers are allowed: no objects, strings, records or dates. An array is then nothing but its bytes.
"""

import dataclasses
import math
import struct

import numpy as np
import numpy.typing as npt

from stylegan.checkpoint.legacy.bounds import DAMAGED, RefusedError, shown
from stylegan.checkpoint.legacy.records import Arguments, Global, StatefulRecord
from stylegan.checkpoint.legacy.source import LatinSource, Span

__all__ = ["ArrayRecord", "DtypeRecord", "bytes_from_text", "make_array", "make_frombuffer", "make_scalar"]

_CODES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
_MAX_DIMENSIONS = 8


@dataclasses.dataclass(slots=True, eq=False, repr=False)
class DtypeRecord(StatefulRecord):
    """A dtype of plain numbers."""

    code: str
    """Kind and bytes, such as `f4`."""
    byteorder: str = "<"

    @classmethod
    def from_call(cls, arguments: Arguments) -> "DtypeRecord":
        """From the arguments of `numpy.dtype`: a code and two flags.

        Raises:
            RefusedError: not plain numbers.
        """
        code = arguments[0] if len(arguments) == 3 else None
        if type(code) is not str or code not in _CODES:
            raise RefusedError(
                f"has an array of dtype {shown(code) if type(code) is str else '?'}, not of plain numbers; refused"
            )
        return cls(code)

    def set_state(self, state: object) -> None:
        """Take the byte order from numpy's (version, order, subdtype, names, fields, size, alignment, flags)."""
        if type(state) is not tuple or len(state) < 7 or not all(part is None for part in state[2:5]):
            raise RefusedError(f"has a dtype with fields; {DAMAGED}")
        order = state[1]
        if type(order) is not str or order not in ("<", ">", "|", "="):
            raise RefusedError(f"has a dtype of unknown byte order; {DAMAGED}")
        self.byteorder = order

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The dtype itself."""
        return np.dtype(self.byteorder + self.code)


@dataclasses.dataclass(slots=True, eq=False, repr=False)
class ArrayRecord(StatefulRecord):
    """An array; its numbers stay in the file until they are read."""

    dtype: DtypeRecord | None = None
    shape: tuple[int, ...] = ()
    is_fortran: bool = False
    data: bytes | Span = b""

    @classmethod
    def of_number(cls, value: float) -> "ArrayRecord":
        """A single number, which numpy pickles differently from an array of no dimensions."""
        return cls(DtypeRecord("f8"), data=struct.pack("<d", value))

    def set_state(self, state: object) -> None:
        """Take numpy's (version, shape, dtype, is_fortran, data)."""
        if self.dtype is not None or type(state) is not tuple or len(state) != 5:
            raise RefusedError(f"has an array in an unknown form; {DAMAGED}")
        _, shape, dtype, is_fortran, data = state
        self._fill(dtype, shape, is_fortran, data)

    def _fill(self, dtype: object, shape: object, is_fortran: object, data: object) -> None:
        if not isinstance(dtype, DtypeRecord) or type(is_fortran) is not bool:
            raise RefusedError(f"has an array in an unknown form; {DAMAGED}")
        if type(shape) is not tuple or len(shape) > _MAX_DIMENSIONS:
            raise RefusedError(f"has an array without shape; {DAMAGED}")
        if not all(type(size) is int and size >= 0 for size in shape):
            raise RefusedError(f"has an array with a size below 0; {DAMAGED}")
        if _num_bytes(data) != math.prod(shape) * dtype.numpy.itemsize:
            raise RefusedError(f"has an array whose bytes do not fit its shape; {DAMAGED}")
        assert isinstance(data, bytes | Span)
        self.dtype, self.shape, self.is_fortran, self.data = dtype, shape, is_fortran, data

    def read(self) -> npt.NDArray[np.float32]:
        """The array as float32 in memory of its own.

        Raises:
            RefusedError: not floating-point, or over the budget.
        """
        if self.dtype is None or self.dtype.numpy.kind != "f":
            raise RefusedError("has weights that are not floating-point; only those are read")
        data = self.data
        if isinstance(data, Span):
            data.source.meter.take_weights(2 * max(data.length, 4 * math.prod(self.shape)))
        raw = data.read() if isinstance(data, Span) else data
        flat = np.frombuffer(raw, self.dtype.numpy)
        return flat.reshape(self.shape, order="F" if self.is_fortran else "C").astype(np.float32, order="C")


def make_array(arguments: Arguments) -> ArrayRecord:
    """What `numpy.core.multiarray._reconstruct(ndarray, (0,), b"b")` makes: an array that waits for its state.

    Raises:
        RefusedError: of another class.
    """
    kind = arguments[0] if len(arguments) == 3 else None
    if not isinstance(kind, Global) or kind.name != "numpy.ndarray":
        raise RefusedError(f"has an array that is none of numpy's; {DAMAGED}")
    return ArrayRecord()


def make_frombuffer(arguments: Arguments) -> ArrayRecord:
    """What protocol 5's `numpy.core.numeric._frombuffer(data, dtype, shape, order)` makes.

    Raises:
        RefusedError: arguments that it does not take.
    """
    if len(arguments) != 4 or arguments[3] not in ("C", "F"):
        raise RefusedError(f"has an array in an unknown form; {DAMAGED}")
    data, dtype, shape, order = arguments
    array = ArrayRecord()
    array.set_state((1, shape, dtype, order == "F", data))
    return array


def make_scalar(arguments: Arguments) -> float | int | bool:
    """The number of `numpy.core.multiarray.scalar(dtype, bytes)`, as Python's own.

    Raises:
        RefusedError: not a plain number.
    """
    dtype, data = arguments if len(arguments) == 2 else (None, None)
    if not isinstance(dtype, DtypeRecord) or type(data) is not bytes or len(data) != dtype.numpy.itemsize:
        raise RefusedError(f"has a number in an unknown form; {DAMAGED}")
    value: float | int | bool = np.frombuffer(data, dtype.numpy)[0].item()
    return value


def bytes_from_text(arguments: Arguments) -> bytes | Span:
    """The bytes that protocol 2 writes as `_codecs.encode(text, "latin1")`.

    Raises:
        RefusedError: another encoding, or text that stands for no bytes.
    """
    text, encoding = arguments if len(arguments) == 2 else (None, None)
    if type(encoding) is not str or encoding not in ("latin1", "latin-1"):
        raise RefusedError("encodes text to other than latin1, which no network does; refused")
    if isinstance(text, Span) and text.is_text:
        return LatinSource(text).whole()
    if type(text) is not str:
        raise RefusedError(f"encodes what is not text; {DAMAGED}")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise RefusedError(f"has text that stands for no bytes; {DAMAGED}") from None


def _num_bytes(data: object) -> int:
    if isinstance(data, Span) and not data.is_text:
        return data.length
    return len(data) if isinstance(data, bytes) else -1
