"""Retry-After in both forms, and how stubborn a policy is."""

import contextlib
import random

import pytest

from scrapers.errors import DownloadError, PassingError
from scrapers.retry import RetryPolicy, parse_retry_after


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wednesday, 21-Oct-26 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:00:00 GMT", 0.0),
        ("-3", None),
        ("soon", None),
        ("1.5", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    now = 1792567680.0  # 07:28:00
    assert parse_retry_after(value, now) == seconds


def attempts(policy: RetryPolicy, *faults: Exception) -> tuple[int, list[float]]:
    """How many attempts are made that fail with these in turn, and the waits between them."""
    waits: list[float] = []
    left = list(faults)
    number = 0

    def attempt() -> str:
        nonlocal number
        number += 1
        if left:
            raise left.pop(0)
        return "done"

    with contextlib.suppress(DownloadError):
        policy.run(attempt, waits.append, random.Random(0))
    return number, waits


def test_passing_faults_are_tried_again_with_growing_jittered_waits() -> None:
    policy = RetryPolicy(num_attempts=6, base_s=1, cap_s=4)
    number, waits = attempts(policy, *[PassingError("timeout", "") for _ in range(5)])
    assert number == 6
    assert all(0 <= wait <= limit for wait, limit in zip(waits, (1, 2, 4, 4, 4), strict=True))
    assert len(set(waits)) == 5


def test_final_faults_are_not_tried_again() -> None:
    assert attempts(RetryPolicy(), DownloadError("not-found", ""))[0] == 1
    assert attempts(RetryPolicy(), PassingError("host-down", ""))[0] == 1


def test_tries_are_used_up() -> None:
    assert attempts(RetryPolicy(num_attempts=3), *[PassingError("timeout", "") for _ in range(9)])[0] == 3


def test_a_server_is_believed_up_to_a_limit() -> None:
    policy = RetryPolicy(retry_after_cap_s=60)
    assert attempts(policy, PassingError("rate-limited", "", retry_after_s=45)) == (2, [45])
    assert attempts(policy, PassingError("rate-limited", "", retry_after_s=3600)) == (1, [])


def test_a_policy_without_attempts_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one attempt"):
        RetryPolicy(num_attempts=0)
