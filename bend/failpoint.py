"""Fail on purpose at a chosen moment, to test what survives: `BEND_FAILPOINT=NAME[@FILE]:ACTION:NTH[,…]`.

All three packages raise an audit event (PEP 578) where they write: `sys.audit("failpoint", "named", path)`. Nobody
listens unless the variable is set, so that an event costs tens of nanoseconds, and neither `stylegan` nor `scrapers`
has to import anything for it. Under the name `*`, Python's own events (`open`, `os.rename`, …) count too: they measure
how far the work has come, on however fast a machine.

    written@*.zip:kill:1       SIGKILL before the first zip is flushed
    placed:ENOSPC:3            the third picture placed finds the disk full
    step:stop:2,member:int:9   SIGSTOP at one moment, SIGINT at another
    *:kill:1500                SIGKILL at the 1,500th event of any kind
    *:count:FILE               does no harm; the number of events is written to FILE at the end
"""

import atexit
import errno
import fnmatch
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bend.errors import SettingsError

__all__ = ["EVENT", "VARIABLE", "Clause", "arm", "parse"]

VARIABLE = "BEND_FAILPOINT"
EVENT = "failpoint"
_ANYTHING = "*"
_SIGNALS = {name: f"SIG{name.upper()}" for name in ("kill", "stop", "int", "term", "hup")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One failure that is to happen.

    Attributes:
        name: of the event; `*` for every event, Python's own included.
        file: pattern that the name of the file being written must match.
        action: `kill`, `stop`, `int`, `term`, `hup`, `count`, or the name of a system error such as `ENOSPC`.
        nth: which of the matching events fails, from 1; unused by `count`.
        report: the file that `count` writes.
    """

    name: str
    action: str
    file: str = _ANYTHING
    nth: int = 1
    report: str = ""

    def __post_init__(self) -> None:
        known = self.action in (*_SIGNALS, "count") or hasattr(errno, self.action)
        if not self.name or not known or self.nth < 1:
            raise SettingsError(
                f"{VARIABLE}: {self.name}:{self.action}:{self.nth} is not NAME:ACTION:NTH; actions are "
                f"{', '.join(_SIGNALS)}, count, or an error such as ENOSPC"
            )

    def matches(self, event: str, arguments: tuple[Any, ...]) -> bool:
        """Whether an audit event is one that this clause counts."""
        if self.name == _ANYTHING:
            return True
        if event != EVENT or arguments[0] != self.name:
            return False
        return fnmatch.fnmatchcase(Path(str(arguments[1])).name, self.file)

    def act(self) -> None:
        """Send the signal, or raise the error.

        Raises:
            OSError: the error that was asked for.
        """
        if self.action in _SIGNALS:
            os.kill(os.getpid(), getattr(signal, _SIGNALS[self.action]))
        else:
            code = getattr(errno, self.action)
            raise OSError(code, os.strerror(code))


def parse(text: str) -> tuple[Clause, ...]:
    """Read the variable's value.

    Raises:
        SettingsError: it is malformed.
    """
    return tuple(_clause(part) for part in text.split(","))


def arm(text: str) -> None:
    """Have the clauses of `text` happen in this process from now on; this cannot be undone.

    Raises:
        SettingsError: `text` is malformed.
    """
    for clause in parse(text):
        sys.addaudithook(_hook(clause))


def _clause(text: str) -> Clause:
    parts = text.split(":", 2)
    if len(parts) != 3 or (parts[1] != "count" and not parts[2].isdecimal()):
        raise SettingsError(f"{VARIABLE}: {text} is not NAME:ACTION:NTH")
    name, _, file = parts[0].partition("@")
    if parts[1] == "count":
        return Clause(name=name, action="count", file=file or _ANYTHING, report=parts[2])
    return Clause(name=name, action=parts[1], file=file or _ANYTHING, nth=int(parts[2]))


def _hook(clause: Clause) -> Callable[[str, tuple[Any, ...]], None]:
    lock = threading.Lock()  # pictures are fetched, and frames encoded, by several threads
    num_seen = 0
    if clause.action == "count":
        atexit.register(lambda: Path(clause.report).write_text(f"{num_seen}\n"))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal num_seen
        if clause.matches(event, arguments):
            with lock:
                num_seen += 1
                is_now = num_seen == clause.nth
            if is_now and clause.action != "count":
                clause.act()

    return hook
