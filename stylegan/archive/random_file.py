"""A file read at random places, from threads and forked workers at once, however many such files there are.

`pread` moves no shared position, so that threads and forked workers may use one descriptor at once. A process may
have only so many descriptors (1,024 is usual) and a data set more shards than that: beyond `MOST_OPEN`, the file
that was opened first gives its descriptor back, once whoever is reading from it is done, and is opened again when it
is wanted.
"""

import os
import threading
import weakref
from collections import deque
from pathlib import Path
from typing import Any

__all__ = ["MOST_OPEN", "RandomFile"]

MOST_OPEN = 256


class RandomFile:
    """A file open for reading; pickles, and opens its own descriptor where it is unpickled.

    Args:
        path: the file.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_closed = False
        self._descriptor: _Descriptor | None = self._open()

    def read(self, num_bytes: int, offset: int) -> bytes:
        """Up to `num_bytes` from `offset` on; fewer at the file's end."""
        descriptor = self._descriptor or self._open()  # held while it reads, whatever others close meanwhile
        return descriptor.read(num_bytes, offset)

    def close(self) -> None:
        """Give the descriptor back; reading afterwards is an error. Happens by itself in the end."""
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
        descriptor = _Descriptor(self.path)
        self._descriptor = descriptor
        _opened.append(weakref.ref(self))
        while len(_opened) > MOST_OPEN:
            if (oldest := _opened.popleft()()) is not None and oldest is not self:
                oldest._descriptor = None
        return descriptor


_opened: deque[weakref.ref[RandomFile]] = deque()  # its methods are atomic


class _Descriptor:
    """A file descriptor that is closed when nobody holds it any more."""

    def __init__(self, path: Path) -> None:
        self._number = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, self._number)

    def read(self, num_bytes: int, offset: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._number, num_bytes, offset)
        with self._lock:  # Windows: no pread, and no fork to share the position with
            os.lseek(self._number, offset, os.SEEK_SET)
            return os.read(self._number, num_bytes)
