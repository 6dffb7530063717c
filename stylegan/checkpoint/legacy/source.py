"""Random access to the bytes of a file, a part of it, or memory: what the pickle readers read from.

Tensors are nearly all of a network file. They are never read while the pickle around them is: a `Span` remembers
where they lie, and their bytes go from the file straight to where the weights live.
"""

import dataclasses
import io
from abc import ABC, abstractmethod

from stylegan.checkpoint.legacy.bounds import Meter, RefusedError

__all__ = ["Cursor", "FileSource", "LatinSource", "MemorySource", "Source", "Span"]

_WINDOW_BYTES = 8192
_CUT_SHORT = "ends in the middle: a download or copy cut short, or damaged; fetch it again"


class Source(ABC):
    """Something of known size to read from."""

    size: int
    """Bytes in all."""
    meter: Meter
    """The allowance of the file that it belongs to."""

    @abstractmethod
    def read_into(self, start: int, target: memoryview) -> None:
        """Fill `target` with the bytes from `start` on.

        Raises:
            RefusedError: there are not that many.
        """

    def read(self, start: int, length: int) -> bytes:
        """`length` bytes from `start` on.

        Raises:
            RefusedError: there are not that many.
        """
        if length > self.size - start:
            raise RefusedError(_CUT_SHORT)
        data = bytearray(length)
        self.read_into(start, memoryview(data))
        return bytes(data)

    def whole(self) -> "Span":
        """All of it."""
        return Span(self, 0, self.size)


class FileSource(Source):
    """A file, open for reading.

    Args:
        file: an unbuffered binary file.
        meter: its allowance.
    """

    def __init__(self, file: io.FileIO, meter: Meter) -> None:
        self._file = file
        self.size = file.seek(0, io.SEEK_END)
        self.meter = meter
        meter.decoded_bytes = 6 * self.size  # text is decoded up to three times, and is up to twice as long

    def read_into(self, start: int, target: memoryview) -> None:
        self._file.seek(start)
        done = 0
        while done < len(target):  # one call moves 2 GiB at most, or fewer bytes from a file that shrinks
            count = self._file.readinto(target[done:])
            if not count:
                raise RefusedError(_CUT_SHORT)
            done += count


class MemorySource(Source):
    """Bytes in memory.

    Args:
        data: the bytes.
        meter: the allowance of the file that they came from.
    """

    def __init__(self, data: bytes, meter: Meter) -> None:
        self._data = data
        self.size = len(data)
        self.meter = meter

    def read_into(self, start: int, target: memoryview) -> None:
        target[:] = self._data[start : start + len(target)]


class LatinSource(Source):
    """Binary data that protocol 2 wrote as text, a character for each byte.

    It is decoded anew for every reading and never kept, so that memory holds one tensor twice, not all of them.

    Args:
        text: where the UTF-8 lies.
    """

    def __init__(self, text: "Span") -> None:
        self._text = text
        self.meter = text.source.meter
        self.size = len(self._decode())

    def read_into(self, start: int, target: memoryview) -> None:
        target[:] = memoryview(self._decode())[start : start + len(target)]

    def loaded(self) -> MemorySource:
        """The same data decoded once, for many small readings."""
        return MemorySource(self._decode(), self.meter)

    def _decode(self) -> bytes:
        self.meter.take_decoding(self._text.length)
        try:
            return self._text.read().decode("utf-8").encode("latin-1")
        except UnicodeError:
            raise RefusedError("has text that stands for no bytes; damaged, fetch it again") from None


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Span:
    """A stretch of a source, remembered and not read."""

    source: Source = dataclasses.field(repr=False)
    start: int
    """First byte."""
    length: int
    """Bytes."""
    is_text: bool = False
    """It is UTF-8 text, not bytes."""

    def read(self) -> bytes:
        """Its bytes."""
        return self.source.read(self.start, self.length)


class Cursor:
    """A place in a span that moves on as it is read, through a small window.

    Args:
        span: where it may go.
    """

    def __init__(self, span: Span) -> None:
        self.source = span.source
        self.meter = span.source.meter
        self._end = span.start + span.length
        self._window = b""
        self._window_start = span.start
        self._index = 0

    @property
    def position(self) -> int:
        """Where the next byte lies in the source."""
        return self._window_start + self._index

    @property
    def left(self) -> int:
        """Bytes up to the end of the span."""
        return self._end - self.position

    def take(self, length: int) -> bytes:
        """The next few bytes.

        Raises:
            RefusedError: the span ends before.
        """
        stop = self._index + length
        if stop > len(self._window):
            self._fill(length)
            stop = length
        data = self._window[self._index : stop]
        self._index = stop
        return data

    def line(self, limit: int = 256) -> bytes:
        """The bytes up to a newline, which is left out.

        Raises:
            RefusedError: no newline within `limit` bytes.
        """
        stop = self._window.find(b"\n", self._index)
        if stop < 0:
            self._fill(min(limit, self.left))
            stop = self._window.find(b"\n")
        if stop < 0 or stop - self._index > limit:
            raise RefusedError("has a name without an end; damaged, fetch it again")
        data = self._window[self._index : stop]
        self._index = stop + 1
        return data

    def skip(self, length: int) -> Span:
        """Step over some bytes and say where they lie.

        Raises:
            RefusedError: the span ends before.
        """
        if length > self.left:
            raise RefusedError(_CUT_SHORT)
        span = Span(self.source, self.position, length)
        self._index += length
        if self._index > len(self._window):
            self._window, self._window_start, self._index = b"", span.start + length, 0
        return span

    def _fill(self, length: int) -> None:
        """A new window, from the current place on, of at least `length` bytes."""
        start, left = self.position, self.left
        if length > left:
            raise RefusedError(_CUT_SHORT)
        self._window = self.source.read(start, min(left, max(length, _WINDOW_BYTES)))
        self._window_start, self._index = start, 0
