"""The processes that torchrun starts: which of them work, and which prints.

`finetune` and the renders share their work (`stylegan.distributed`). Every other command, and a picture in a single
file, is done by the first process, and the others exit with success. Only the first process prints; the others pass
their errors to it (`stylegan.distributed.join`).
"""

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from stylegan.launch import is_launched

__all__ = ["begin", "is_first", "leave", "leave_to_first", "leave_word"]

_SHARED = ("finetune", "render")  # commands whose work several processes share


def begin(arguments: list[str]) -> None:
    """Prepare this process for a command line: silence it unless it is the first, and end it if it has no part.

    Args:
        arguments: the words after `bend`.

    Raises:
        SystemExit: the first process does all the work.
    """
    if _size() == 1:
        return
    if not is_first() and not os.environ.get("BEND_DEBUG"):
        sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
    if not arguments or arguments[0] not in _SHARED:
        leave_to_first()
        os.environ["WORLD_SIZE"] = "1"  # so that whatever it calls works alone


def is_first() -> bool:
    """Whether this process is the one that prints: the first of several, or the only one."""
    return _size() == 1 or os.environ["RANK"] == "0"


def leave_to_first() -> None:
    """End this process, unless it is the first.

    Raises:
        SystemExit: it is not.
    """
    if not is_first():
        sys.exit(0)


def leave(status: int) -> NoReturn:
    """End one of several processes at once, without Python's own shutdown; everything must be saved by now.

    Other processes may be gone, and the launcher may be ending this one: during a shutdown, torch's threads could then
    abort the process, and a signal would print a traceback.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the stream may be closed
            stream.flush()
    os._exit(status)


def leave_word(line: str) -> None:
    """Have the first process print why this one failed, even if they are not connected yet."""
    if not is_first():
        from stylegan.distributed import leave_word

        leave_word(line)


def _size() -> int:
    return int(os.environ["WORLD_SIZE"]) if is_launched() else 1
