"""Politeness within one process: threads wait here for a host's turn (`scrapers.host` says when that is).

Waiting threads wake early when the scrape is stopped.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from scrapers.errors import PassingError
from scrapers.host import Host, HostRules
from scrapers.source import HostLimit

__all__ = ["Door", "Gate", "Visit"]

_MAX_HOSTS = 2_000  # idle hosts beyond this are forgotten, so that memory stays flat over any number of them
_LATE_S = 0.2  # a waiting thread looks at `stop` at least so often


class Visit(Protocol):
    """One request's stay at a host; tells the breaker how it went."""

    def succeeded(self) -> None:
        """The host answered sensibly."""
        ...

    def failed(self) -> None:
        """The host is broken or unreachable; enough of these in a row rest it."""
        ...

    def pause(self, seconds: float) -> None:
        """The host asked to be left alone."""
        ...

    def spend(self, num_bytes: int) -> None:
        """Count media bytes against the host's bandwidth, waiting where it is used up."""
        ...


class Door(Protocol):
    """The one door through which all requests go, of this process or of many machines."""

    def set_limit(self, netloc: str, limit: HostLimit) -> None:
        """Give a host its own limit from now on."""
        ...

    def slow_down(self, netloc: str, limit: HostLimit) -> None:
        """Keep a host to this limit as well as to the one that it has."""
        ...

    def visit(self, netloc: str) -> contextlib.AbstractContextManager[Visit]:
        """Wait until the host may be asked, and hold one of its places.

        Raises:
            PassingError: `host-down` where the host stays broken, `rate-limited` where the host's pause is too long
                to wait for, `stopped` where the scrape is ending.
        """
        ...


class Gate:
    """The door of one process.

    Args:
        default: the limit of every host that `set_limit` says nothing about.
        stop: set when the scrape is to end; wakes all who wait.
        rules: what holds for every host.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        default: HostLimit,
        stop: threading.Event,
        rules: HostRules | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stop = stop
        self.clock = clock
        self.rules = rules or HostRules()
        self._limits: dict[str, HostLimit] = {}
        self._default = default
        self._rooms: dict[str, _Room] = {}
        self._lock = threading.Lock()

    def set_limit(self, netloc: str, limit: HostLimit) -> None:
        """As `Door`."""
        with self._lock:
            self._set_limit(netloc, limit)

    def slow_down(self, netloc: str, limit: HostLimit) -> None:
        """As `Door`."""
        with self._lock:
            self._set_limit(netloc, self._limits.get(netloc, self._default).slowed(limit))

    @contextlib.contextmanager
    def visit(self, netloc: str) -> Iterator[Visit]:
        """As `Door`."""
        room = self._room(netloc)
        try:
            self._enter(room)
            try:
                yield _ThreadVisit(self, room)
            finally:
                with room.changed:
                    room.host.leave()
                    room.changed.notify()
        finally:
            with room.changed:
                room.num_visitors -= 1

    def _set_limit(self, netloc: str, limit: HostLimit) -> None:
        self._limits[netloc] = limit
        if room := self._rooms.get(netloc):
            with room.changed:
                room.host.set_limit(limit)
                room.changed.notify_all()

    def _enter(self, room: "_Room") -> None:
        with room.changed:
            while True:
                if self.stop.is_set():
                    raise PassingError("stopped", "the scrape is stopping")
                now = self.clock()
                wait_s = room.host.wait_s(now)
                if wait_s <= 0:
                    break
                room.changed.wait(min(wait_s, _LATE_S))  # or until a visitor leaves
            room.host.enter(now)

    def _room(self, netloc: str) -> "_Room":
        with self._lock:
            if netloc not in self._rooms and len(self._rooms) >= _MAX_HOSTS:
                self._forget_idle()
            room = self._rooms.get(netloc)
            if room is None:
                limit = self._limits.get(netloc, self._default)
                room = self._rooms[netloc] = _Room(Host(netloc, limit, self.rules))
            with room.changed:
                room.num_visitors += 1
            return room

    def _forget_idle(self) -> None:
        now = self.clock()
        idle = [
            name
            for name, room in self._rooms.items()
            if not room.num_visitors and room.host.is_forgettable(now)
        ]
        for name in idle:
            del self._rooms[name]


class _Room:
    """A host, guarded by its own condition, and how many threads are in it or wait to be."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.changed = threading.Condition()
        self.num_visitors = 0


class _ThreadVisit:
    def __init__(self, gate: Gate, room: _Room) -> None:
        self._gate = gate
        self._room = room

    def succeeded(self) -> None:
        with self._room.changed:
            self._room.host.succeed()

    def failed(self) -> None:
        with self._room.changed:
            self._room.host.fail(self._gate.clock())

    def pause(self, seconds: float) -> None:
        with self._room.changed:
            self._room.host.pause(seconds, self._gate.clock())

    def spend(self, num_bytes: int) -> None:
        if self._room.host.is_metered:
            with self._room.changed:
                wait_s = self._room.host.spend(num_bytes, self._gate.clock())
            self._gate.stop.wait(wait_s)
