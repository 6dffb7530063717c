"""One voice out of several processes: what those that torchrun started say, and which of them do what.

`finetune` and the renders share their work (`stylegan.distributed`). Of every other command, and of a picture that is
one file, the first process does all, and the others end well. Only the first process prints; what fails another one, it
tells the first (`stylegan.distributed.join`).
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
    """Take this process's part in a command line.

    Args:
        arguments: the words after `bend`.

    Raises:
        SystemExit: there is none; the first process does it all.
    """
    if _size() == 1:
        return
    if not is_first() and not os.environ.get("BEND_DEBUG"):
        sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
    if not arguments or arguments[0] not in _SHARED:
        leave_to_first()
        os.environ["WORLD_SIZE"] = "1"  # whatever it calls works alone


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
    """End one of several processes at once.

    Its peers may be gone and the launcher may be ending it already: torch's threads, torn down in such a moment, abort
    the process, and a signal during Python's own end prints a traceback. Everything is saved by now.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody listens any more
            stream.flush()
    os._exit(status)


def leave_word(line: str) -> None:
    """Have the first process tell why this one failed, before they have met; the first itself is heard anyway."""
    if not is_first():
        from stylegan.distributed import leave_word

        leave_word(line)


def _size() -> int:
    return int(os.environ["WORLD_SIZE"]) if is_launched() else 1
