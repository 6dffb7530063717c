"""A total deadline for a request, whatever it is stuck in.

Socket timeouts bound each read, not their sum: a server that sends one byte every few seconds, in its headers or
in its body, holds a worker for hours. One watchdog thread knows the connection of every request under way and
shuts its socket down when the request's time is over; the blocked read then fails at once, in whichever layer.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Protocol

__all__ = ["Watch", "Watchdog"]

_TICK_S = 0.1


class _HasSocket(Protocol):
    sock: socket.socket | None


class Watch:
    """One request's time: when it ends, and whether the watchdog had to end it."""

    def __init__(self, ends_at: float) -> None:
        self.ends_at = ends_at
        self.expired = False
        self.connection: _HasSocket | None = None

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self.ends_at - time.monotonic()

    def expire(self) -> None:
        """Mark the time as over and wake whoever is blocked on the connection."""
        self.expired = True
        sock = self.connection.sock if self.connection else None
        if sock is not None:
            with contextlib.suppress(OSError):  # closed in the meantime
                sock.shutdown(socket.SHUT_RDWR)


class Watchdog:
    """Ends requests whose time is over. One per client; its thread lives while requests are under way."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._lock = threading.Condition()
        self._mine = threading.local()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def watch(self, seconds: float) -> Iterator[Watch]:
        """Give this thread's request `seconds` from now."""
        watch = Watch(time.monotonic() + seconds)
        with self._lock:
            self._watches.add(watch)
            self._start()
            if len(self._watches) == 1:  # else it is awake already
                self._lock.notify()
        self._mine.watch = watch
        try:
            yield watch
        finally:
            self._mine.watch = None
            with self._lock:
                self._watches.discard(watch)

    def attach(self, connection: _HasSocket) -> None:
        """Note which connection this thread's request uses; called by the connection itself."""
        watch: Watch | None = getattr(self._mine, "watch", None)
        if watch is not None:
            watch.connection = connection
            if watch.expired:
                watch.expire()

    def expire_all(self) -> None:
        """End every request under way, since the person wants to stop."""
        with self._lock:
            for watch in self._watches:
                watch.expire()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="scrape-deadlines", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        with self._lock:
            while self._watches or self._lock.wait(timeout=5):
                now = time.monotonic()
                for watch in self._watches:
                    # Again at each tick: the request may have moved on to a new connection meanwhile.
                    if watch.expired or now >= watch.ends_at:
                        watch.expire()
                self._lock.wait(timeout=_TICK_S)
            self._thread = None
