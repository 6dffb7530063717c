"""When to try again, and how long to wait before.

Waits are exponential with full jitter (a random time up to a doubling limit), so that many workers that failed
together do not return together. A server that says when to return (`Retry-After`, in seconds or as an HTTP date)
is believed, up to a limit.
"""

import email.utils
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from scrapers.errors import PassingError

__all__ = ["RETRIED_STATUSES", "RetryPolicy", "parse_retry_after"]

RETRIED_STATUSES = frozenset({408, 425, 429, *range(500, 600)})

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often to try, and how long to wait.

    Attributes:
        num_attempts: tries in all, at least 1.
        base_s: the first wait is a random time up to this.
        cap_s: no wait of our own choosing is longer.
        retry_after_cap_s: a server that asks for a longer pause than this is given up.
    """

    num_attempts: int = 4
    base_s: float = 0.5
    cap_s: float = 20.0
    retry_after_cap_s: float = 120.0

    def __post_init__(self) -> None:
        if self.num_attempts < 1 or self.base_s < 0 or self.cap_s < 0:
            raise ValueError("a RetryPolicy needs at least one attempt and waits that are not negative")

    def run(
        self, attempt: Callable[[], _Result], sleep: Callable[[float], None], rng: random.Random
    ) -> _Result:
        """Call `attempt` until it succeeds, fails for good, or the tries are used up.

        Args:
            attempt: raises PassingError for what may pass; every other error is final.
            sleep: waits a number of seconds, or raises where the scrape is stopping.
            rng: spreads the waits.

        Raises:
            PassingError: the last attempt's.
        """
        for number in range(1, self.num_attempts + 1):
            try:
                return attempt()
            except PassingError as error:
                if number == self.num_attempts or error.reason in ("host-down", "stopped"):
                    raise
                if error.retry_after_s is not None and error.retry_after_s > self.retry_after_cap_s:
                    raise
                sleep(self.wait_s(number, error.retry_after_s, rng))
        raise AssertionError("unreachable")

    def wait_s(self, number: int, retry_after_s: float | None, rng: random.Random) -> float:
        """Seconds to wait after failed attempt `number` (from 1)."""
        if retry_after_s is not None:
            return retry_after_s
        return rng.uniform(0, min(self.cap_s, self.base_s * 2 ** (number - 1)))


def parse_retry_after(value: str | None, now: float | None = None) -> float | None:
    """Seconds from a `Retry-After` header, in either form; None where it is absent or unreadable.

    Args:
        value: the header, such as `120` or `Wed, 21 Oct 2026 07:28:00 GMT`.
        now: seconds since the epoch, by default the present.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        then = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0.0, then.timestamp() - (time.time() if now is None else now))
