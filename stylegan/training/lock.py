"""One training a run folder: a lock that the system gives back by itself when its holder dies.

The lock is the system's, on the file `.lock`; the process number inside only serves the message. A file left behind
by a killed process is therefore not locked, and whichever process wears its number today does not matter.
"""

import errno
import os
import sys
from pathlib import Path
from typing import IO

from stylegan.errors import TrainingError

__all__ = ["RunLock"]

_NAME = ".lock"
_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class RunLock:
    """Keeps every other process out of a run folder until `release`, or until this process ends.

    Args:
        run: the run folder.

    Raises:
        TrainingError: somebody holds it.
        OSError: the folder cannot be written.
    """

    def __init__(self, run: Path) -> None:
        self._file = (run / _NAME).open("a+", encoding="ascii")
        try:
            _lock(self._file)
        except OSError as error:
            if error.errno in _HELD:
                self._file.seek(0)
                holder = self._file.read().strip() or "unknown"
                self._file.close()
                raise TrainingError(
                    f"{run}: already being trained, by process {holder}; wait for it, or stop it with kill {holder}"
                ) from None
            # A file system without locks: nobody can be kept out there, and that is no reason not to train.
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let others in; the file stays, since removing it could pull it from under a newcomer's lock."""
        self._file.close()


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(1 << 20)  # beyond the text: a locked byte cannot be read there
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
