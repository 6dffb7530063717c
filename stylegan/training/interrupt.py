"""Stopping at the end of a step: the first SIGINT or SIGTERM is only noted, a second one acts as usual."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

__all__ = ["noted_signals"]


@contextlib.contextmanager
def noted_signals() -> Iterator[list[int]]:
    """Yield the signals received so far; outside of the main thread there never are any."""
    received: list[int] = []
    before: dict[int, Any] = {}

    def note(signum: int, frame: FrameType | None) -> None:
        received.append(signum)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError):  # not the main thread: nobody to interrupt us
            before[number] = signal.signal(number, note)
    try:
        yield received
    finally:
        restore()
