"""Politeness: how fast and how often each host is asked, and when it is left alone.

Each host has a token bucket for requests, another for bytes where its operator set a bandwidth, a limit on
requests under way at once, a pause (when it answered "too many requests"), and a circuit breaker: after several
failures in a row it is rested, then tried with a single request. Workers wait through the first few rests, so that
a short outage costs no pictures; a host that stays broken is then failed at once, but for one try a rest. Waiting
workers wake early when the scrape is stopped.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from scrapers.errors import PassingError
from scrapers.source import HostLimit

__all__ = ["Gate", "TokenBucket", "Visit"]

_RESTS_WAITED_FOR = 3
_MAX_HOSTS = 2_000  # idle hosts beyond this are forgotten, so that memory stays flat over any number of them


class TokenBucket:
    """Tokens that refill at a steady rate up to a limit.

    Args:
        rate: tokens a second.
        size: how many can be saved up.
    """

    def __init__(self, rate: float, size: float) -> None:
        self.rate = rate
        self.size = size
        self._tokens = size
        self._at: float | None = None

    def take(self, amount: float, now: float) -> float:
        """Take tokens, into debt if need be; returns the seconds after which the debt is paid."""
        self._refill(now)
        self._tokens -= amount
        return max(0.0, -self._tokens / self.rate)

    def wait_s(self, now: float) -> float:
        """Seconds until a whole token is there."""
        self._refill(now)
        return max(0.0, (1.0 - self._tokens) / self.rate)

    def _refill(self, now: float) -> None:
        if self._at is not None:
            self._tokens = min(self.size, self._tokens + (now - self._at) * self.rate)
        self._at = now


class _Host:
    """What is known of one host; guarded by its own condition."""

    def __init__(self, limit: HostLimit) -> None:
        self.limit = limit
        self.changed = threading.Condition()
        self.requests = TokenBucket(limit.per_second, limit.burst)
        self.bytes = (
            TokenBucket(limit.bytes_per_second, limit.bytes_per_second) if limit.bytes_per_second else None
        )
        self.num_active = 0
        self.num_waiting = 0
        self.paused_until = 0.0
        self.num_failures = 0
        self.num_rests = 0

    @property
    def is_given_up(self) -> bool:
        return self.num_rests > _RESTS_WAITED_FOR


class Visit:
    """One request's stay at a host; tells the breaker how it went."""

    def __init__(self, gate: "Gate", host: _Host) -> None:
        self._gate = gate
        self._host = host

    def succeeded(self) -> None:
        """The host answered sensibly."""
        with self._host.changed:
            self._host.num_failures = self._host.num_rests = 0

    def failed(self) -> None:
        """The host is broken or unreachable; enough of these in a row rest it."""
        host, now = self._host, self._gate.clock()
        with host.changed:
            host.num_failures += 1
            # Requests that were under way when the rest began fail too; they are not further evidence.
            if host.num_failures >= self._gate.breaker_failures and now >= host.paused_until:
                host.paused_until = now + self._gate.breaker_rest_s
                host.num_rests += 1

    def pause(self, seconds: float) -> None:
        """The host asked to be left alone."""
        with self._host.changed:
            self._host.paused_until = max(self._host.paused_until, self._gate.clock() + seconds)

    def spend(self, num_bytes: int) -> None:
        """Count media bytes against the host's bandwidth, waiting where it is used up."""
        if self._host.bytes is not None:
            with self._host.changed:
                wait_s = self._host.bytes.take(num_bytes, self._gate.clock())
            self._gate.stop.wait(wait_s)


class Gate:
    """The one door through which all requests go.

    Args:
        default: the limit of every host that `set_limit` says nothing about.
        stop: set when the scrape is to end; wakes all who wait.
        max_pause_s: a host that is paused for longer than this is given up rather than waited for.
        breaker_failures: failures in a row that rest a host.
        breaker_rest_s: how long it rests.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        default: HostLimit,
        stop: threading.Event,
        max_pause_s: float = 120.0,
        breaker_failures: int = 5,
        breaker_rest_s: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stop = stop
        self.clock = clock
        self.max_pause_s = max_pause_s
        self.breaker_failures = breaker_failures
        self.breaker_rest_s = breaker_rest_s
        self._limits: dict[str, HostLimit] = {}
        self._default = default
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def set_limit(self, netloc: str, limit: HostLimit) -> None:
        """Give a host its own limit from now on."""
        with self._lock:
            self._limits[netloc] = limit
            self._hosts.pop(netloc, None)

    @contextlib.contextmanager
    def visit(self, netloc: str) -> Iterator[Visit]:
        """Wait for this host's turn, and hold one of its places.

        Raises:
            PassingError: `host-down` where the host stays broken, `rate-limited` where the host's pause is too long
                to wait for, `stopped` where the scrape is ending.
        """
        host = self._host(netloc)
        try:
            self._enter(host, netloc)
            try:
                yield Visit(self, host)
            finally:
                with host.changed:
                    host.num_active -= 1
                    host.changed.notify()
        finally:
            with host.changed:
                host.num_waiting -= 1

    def _enter(self, host: _Host, netloc: str) -> None:
        with host.changed:
            while True:
                if self.stop.is_set():
                    raise PassingError("stopped", "the scrape is stopping")
                now = self.clock()
                pause_s = host.paused_until - now
                if host.is_given_up and (pause_s > 0 or host.num_active):
                    raise PassingError("host-down", f"{netloc}: failed {host.num_failures} times in a row")
                if pause_s > self.max_pause_s:
                    raise PassingError("rate-limited", f"{netloc}: asks to be left alone for {pause_s:.0f} s")
                wait_s = max(pause_s, host.requests.wait_s(now))
                places = 1 if host.num_rests else host.limit.concurrency
                if wait_s <= 0 and host.num_active < places:
                    break
                # Woken by a leaving visitor; at most a fifth of a second late to see `stop`.
                host.changed.wait(min(wait_s, 0.2) if wait_s > 0 else 0.2)
            host.requests.take(1, now)
            host.num_active += 1

    def _host(self, netloc: str) -> _Host:
        with self._lock:
            if netloc not in self._hosts and len(self._hosts) >= _MAX_HOSTS:
                self._forget_idle()
            host = self._hosts.setdefault(netloc, _Host(self._limits.get(netloc, self._default)))
            with host.changed:
                host.num_waiting += 1
            return host

    def _forget_idle(self) -> None:
        now = self.clock()
        idle = [
            name
            for name, host in self._hosts.items()
            if not host.num_waiting and host.paused_until < now and host.requests.wait_s(now) <= 0
        ]
        for name in idle:
            del self._hosts[name]
