"""`torch.save`, with the system's own error where a file cannot be written.

Given a path, torch writes it from C++ and says only that a position is not the expected one; given a file, it hides
the system's error behind such a message. Either would end a command on a full disk in a traceback.
"""

from pathlib import Path
from typing import Any

import torch

__all__ = ["save_torch"]


def save_torch(content: Any, path: Path) -> None:
    """Write what `torch.save` takes, in its zip format.

    Raises:
        OSError: the file cannot be written, or the disk is full.
    """
    try:
        with path.open("wb") as file:
            torch.save(content, file)
    except RuntimeError as error:
        if (cause := _system_error(error)) is None:
            raise
        raise cause from None


def _system_error(error: BaseException | None) -> OSError | None:
    """The system's error in the midst of which others were raised; None where there is none."""
    while error is not None and not (isinstance(error, OSError) and error.errno is not None):
        error = error.__context__
    return error
