"""Files read at random places, by threads and forked workers at once, however many files there are.

`pread` moves no shared position, so that threads and forked workers may use one descriptor at the same time. A process
may have only so many descriptors (1,024 is usual), and a data set more shards than that: when more than `MOST_OPEN`
files are open, the one that was opened first is closed, as soon as nobody reads from it any more, and is opened again
when it is needed.
"""

import contextlib
import gzip
import os
import shutil
import tempfile
import threading
import weakref
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from stylegan.archive.faults import FaultError

__all__ = ["MOST_OPEN", "MOST_UNPACKED", "RandomFile", "UnpackedFile"]

MOST_OPEN = 256
MOST_UNPACKED = 6

_PIECE = 2**20
_Queue = deque["weakref.ref[RandomFile]"]  # its methods are atomic


class RandomFile:
    """A file open for reading; pickles, and opens its own descriptor where it is unpickled.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be opened.
    """

    _opened: ClassVar[tuple[_Queue, int]] = (deque(), MOST_OPEN)
    _is_lazy: ClassVar[bool] = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_closed = False
        self._descriptor: _Descriptor | None = None
        if not self._is_lazy:
            self._open()

    def read(self, num_bytes: int, offset: int) -> bytes:
        """Up to `num_bytes` from `offset` on; fewer at the file's end."""
        descriptor = self._descriptor or self._open()  # held while it reads, whatever others close meanwhile
        return descriptor.read(num_bytes, offset)

    def close(self) -> None:
        """Close the file, after which reading is an error; this also happens by itself on garbage collection."""
        self._is_closed = True
        self._descriptor = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_is_closed": self._is_closed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._descriptor = None

    def _open(self) -> "_Descriptor":
        if self._is_closed:
            raise ValueError(f"{self.path}: read after it was closed")
        descriptor = _Descriptor(self._number())
        self._descriptor = descriptor
        opened, most = self._opened
        opened.append(weakref.ref(self))
        while len(opened) > most:
            if (oldest := opened.popleft()()) is not None and oldest is not self:
                oldest._descriptor = None
        return descriptor

    def _number(self) -> int:
        return os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))


class UnpackedFile(RandomFile):
    """A file packed by gzip, read as if it were not: unpacked whole, when first read, into a file without a name.

    At most `MOST_UNPACKED` are unpacked at a time; to unpack another, the first of them is dropped. Reading is
    therefore fast only for callers who stay with a file for a while.

    Args:
        path: the packed file.

    Raises:
        OSError: it cannot be opened, or the disk for temporary files is full.
    """

    _opened: ClassVar[tuple[_Queue, int]] = (deque(), MOST_UNPACKED)
    _is_lazy: ClassVar[bool] = True

    def __init__(self, path: Path) -> None:
        self._unpacking = threading.Lock()
        super().__init__(path)

    def read(self, num_bytes: int, offset: int) -> bytes:
        """Up to `num_bytes` from `offset` on, unpacked.

        Raises:
            FaultError: it is damaged.
        """
        if self._descriptor is None:
            with self._unpacking:  # so that it is unpacked only once
                return super().read(num_bytes, offset)
        return super().read(num_bytes, offset)

    def read_from_front(self, num_bytes: int, offset: int) -> bytes:
        """As `read`, but unpacks only up to those bytes and keeps nothing: for a look at the beginning.

        Raises:
            FaultError: it is damaged.
        """
        with self._telling(), gzip.open(self.path, "rb") as packed:
            packed.seek(offset)
            return packed.read(num_bytes)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._unpacking = threading.Lock()

    def _number(self) -> int:
        with tempfile.TemporaryFile() as unpacked:
            with self._telling(), gzip.open(self.path, "rb") as packed:
                shutil.copyfileobj(packed, unpacked, _PIECE)
            unpacked.flush()
            return os.dup(unpacked.fileno())

    @staticmethod
    @contextlib.contextmanager
    def _telling() -> Iterator[None]:
        try:
            yield
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            message = f"a damaged gzip file ({error}); make or download it again"
            raise FaultError("truncated", message) from None


class _Descriptor:
    """A file descriptor that is closed when nobody holds it any more."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, self._number)

    def read(self, num_bytes: int, offset: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._number, num_bytes, offset)
        with self._lock:  # Windows: no pread, and no fork to share the position with
            os.lseek(self._number, offset, os.SEEK_SET)
            return os.read(self._number, num_bytes)
