"""A lock on a file that the system gives back by itself when its holder dies.

The lock is the system's; the process number inside the file only serves the message. A file left behind by a killed
process is therefore not locked, and it does not matter which process has its number today.
"""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from stylegan.errors import LockHeldError

__all__ = ["FileLock", "alone"]

_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_PAUSE_S = 0.1


class FileLock:
    """Keeps everybody else out until `release`, or until this process ends.

    Args:
        path: the lock file; made where it is not there, and left there.

    Raises:
        LockHeldError: somebody has it.
        OSError: the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+", encoding="ascii")
        try:
            _lock(self._file)
        except OSError as error:
            if error.errno in _HELD:
                self._file.seek(0)
                holder = self._file.read().strip() or "unknown"
                self._file.close()
                raise LockHeldError(holder) from None
            # On a file system without locks the work goes on, although nothing keeps others out.
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let others in; the file stays, since removing it could pull it from under a newcomer's lock."""
        self._file.close()


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until nobody else has the lock on the file `path`, and keep everybody else out meanwhile.

    Raises:
        OSError: the file cannot be made.
    """
    while True:
        try:
            lock = FileLock(path)
        except LockHeldError:
            time.sleep(_PAUSE_S)
        else:
            break
    try:
        yield
    finally:
        lock.release()


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(1 << 20)  # beyond the text: a locked byte cannot be read there
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
