"""At most one training at a time in a run folder, by a lock on the file `.lock` in it."""

from pathlib import Path

from stylegan.errors import LockHeldError, TrainingError
from stylegan.lock import FileLock

__all__ = ["RunLock"]

_NAME = ".lock"


class RunLock:
    """Keeps every other process out of a run folder until `release`, or until this process ends.

    Args:
        run: the run folder.

    Raises:
        TrainingError: somebody holds it.
        OSError: the folder cannot be written.
    """

    def __init__(self, run: Path) -> None:
        try:
            self._lock = FileLock(run / _NAME)
        except LockHeldError as error:
            raise TrainingError(
                f"{run}: already being trained, by process {error.holder}; wait for it, or stop it with "
                f"kill {error.holder}"
            ) from None

    def release(self) -> None:
        """Let others in."""
        self._lock.release()
