"""What politeness towards one host means, without saying how one waits for it.

A host has a token bucket for requests, another for bytes where its bandwidth is limited, a limit on requests under way
at once, a pause (when it answered "too many requests"), and a circuit breaker: after several failures in a row it is
left alone for a while, then tried with a single request. Visitors wait through the first few of these rests, so that a
short outage costs no pictures. After that they fail at once, except for the single request that follows each rest.

`scrapers.gate` lets the threads of one process wait for it, `scrapers.desk` the processes of many machines.
"""

from dataclasses import dataclass

from scrapers.errors import PassingError
from scrapers.source import HostLimit

__all__ = ["Host", "HostRules", "TokenBucket"]

_RESTS_WAITED_FOR = 3
_LOOK_AGAIN_S = 0.2  # when all places are taken, and only a visitor who leaves makes room


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


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRules:
    """What holds for every host.

    Attributes:
        max_pause_s: a host that is paused for longer than this is given up rather than waited for.
        breaker_failures: failures in a row that rest a host.
        breaker_rest_s: how long it rests.
    """

    max_pause_s: float = 120.0
    breaker_failures: int = 5
    breaker_rest_s: float = 20.0


class Host:
    """What is known of one host. Not safe to use from several threads at once.

    Args:
        name: `host` or `host:port`, for messages.
        limit: its pace.
        rules: what holds for every host.
    """

    def __init__(self, name: str, limit: HostLimit, rules: HostRules) -> None:
        self.name = name
        self.num_active = 0
        self._rules = rules
        self._paused_until = 0.0
        self._num_failures = 0
        self._num_rests = 0
        self.set_limit(limit)

    def set_limit(self, limit: HostLimit) -> None:
        """Give it another pace; its visitors, pause and failures stay."""
        self.limit = limit
        self._requests = TokenBucket(limit.per_second, limit.burst)
        self._bytes = (
            TokenBucket(limit.bytes_per_second, limit.bytes_per_second) if limit.bytes_per_second else None
        )

    @property
    def is_metered(self) -> bool:
        """Whether bytes are counted."""
        return self._bytes is not None

    def wait_s(self, now: float) -> float:
        """Seconds after which to ask again for a place; 0 where there is one, to be taken by `enter`.

        Raises:
            PassingError: `host-down` where the host stays broken, `rate-limited` where its pause is too long.
        """
        pause_s = self._paused_until - now
        if self._num_rests > _RESTS_WAITED_FOR and (pause_s > 0 or self.num_active):
            raise PassingError("host-down", f"{self.name}: failed {self._num_failures} times in a row")
        if pause_s > self._rules.max_pause_s:
            raise PassingError("rate-limited", f"{self.name}: asks to be left alone for {pause_s:.0f} s")
        wait_s = max(pause_s, self._requests.wait_s(now))
        places = 1 if self._num_rests else self.limit.concurrency
        return max(wait_s, 0.0) or (0.0 if self.num_active < places else _LOOK_AGAIN_S)

    def enter(self, now: float) -> None:
        """Take a place and a token."""
        self._requests.take(1, now)
        self.num_active += 1

    def leave(self) -> None:
        """Give the place back."""
        self.num_active -= 1

    def succeed(self) -> None:
        """The host answered sensibly."""
        self._num_failures = self._num_rests = 0

    def fail(self, now: float) -> None:
        """The host is broken or unreachable; enough of these in a row rest it."""
        self._num_failures += 1
        # Requests that were under way when the rest began fail too; they are not further evidence.
        if self._num_failures >= self._rules.breaker_failures and now >= self._paused_until:
            self._paused_until = now + self._rules.breaker_rest_s
            self._num_rests += 1

    def pause(self, seconds: float, now: float) -> None:
        """The host asked to be left alone."""
        self._paused_until = max(self._paused_until, now + seconds)

    def spend(self, num_bytes: int, now: float) -> float:
        """Count media bytes against the bandwidth; seconds to wait before the next are read."""
        return 0.0 if self._bytes is None else self._bytes.take(num_bytes, now)

    def is_forgettable(self, now: float) -> bool:
        """Whether a new record of this host would be no different."""
        return not self.num_active and self._paused_until < now and self._requests.wait_s(now) <= 0
