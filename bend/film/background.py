"""Encodes pictures in a thread while the next ones are being drawn.

One thread writes the pictures in order, so that the bytes are the same as without it. Only a few pictures wait, so that
memory stays bounded if drawing is faster than encoding. An error in the thread is raised where pictures are handed in,
or at the end of the block.
"""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["in_background"]

_MOST_WAITING = 4


@contextlib.contextmanager
def in_background(
    write: Callable[..., None], most_waiting: int = _MOST_WAITING
) -> Iterator[Callable[..., None]]:
    """Have `write` called in a thread.

    Args:
        write: called with each set of arguments in turn.
        most_waiting: how many sets may wait; handing in more blocks.

    Yields:
        What to call instead of `write`; it returns at once while there is room. When the block ends, even by an
        exception, everything that was handed in has been written.

    Raises:
        Exception: whatever `write` raised.
    """
    worker = _Worker(write, most_waiting)
    try:
        yield worker.hand_in
    finally:
        worker.finish()
    worker.raise_error()


class _Worker:
    """The thread, its queue, and its error."""

    def __init__(self, write: Callable[..., None], most_waiting: int) -> None:
        self._write = write
        self._waiting: queue.Queue[tuple[Any, ...] | None] = queue.Queue(most_waiting)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="bend-writer", daemon=True)
        self._thread.start()

    def hand_in(self, *arguments: Any) -> None:
        self._waiting.put(arguments)
        self.raise_error()

    def finish(self) -> None:
        self._waiting.put(None)
        self._thread.join()

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        # Keeps emptying the queue after an error, so that `hand_in` never waits for room in vain.
        while (arguments := self._waiting.get()) is not None:
            if self._error is None:
                try:
                    self._write(*arguments)
                except Exception as error:  # noqa: BLE001 - raised again where pictures are handed in
                    self._error = error
