"""What one host is owed, by a clock that the test turns: pace, places, pauses, and rests after failures."""

import pytest

from scrapers.errors import PassingError
from scrapers.host import Host, HostRules
from scrapers.source import HostLimit

LIMIT = HostLimit(per_second=1000, burst=1000, concurrency=3)


def host(limit: HostLimit = LIMIT, **rules: float) -> Host:
    return Host("a", limit, HostRules(**rules))  # type: ignore[arg-type]


def test_there_are_as_many_places_as_said() -> None:
    one = host()
    for _ in range(3):
        assert one.wait_s(0) == 0
        one.enter(0)
    assert 0 < one.wait_s(0) < 1  # look again soon
    one.leave()
    assert one.wait_s(0) == 0


def test_the_longer_of_two_pauses_holds() -> None:
    one = host()
    one.pause(30, 0)
    one.pause(5, 1)
    assert one.wait_s(2) == 28
    one.pause(60, 2)
    assert one.wait_s(2) == 60


def test_too_long_a_pause_is_not_waited_for() -> None:
    one = host(max_pause_s=60)
    one.pause(60, 0)
    assert one.wait_s(0) == 60
    one.pause(61, 0)
    with pytest.raises(PassingError, match="a: asks to be left alone for 61 s") as caught:
        one.wait_s(0)
    assert caught.value.reason == "rate-limited"


def test_failures_in_a_row_rest_it_and_those_of_requests_under_way_count_no_more() -> None:
    one = host(breaker_failures=3, breaker_rest_s=10)
    one.fail(0)
    one.fail(0)
    assert one.wait_s(0) == 0
    one.fail(0)
    assert one.wait_s(0) == 10
    for _ in range(10):
        one.fail(4)
    assert one.wait_s(5) == 5


def test_a_rested_host_is_tried_with_a_single_request() -> None:
    one = host(breaker_failures=1, breaker_rest_s=10)
    one.fail(0)
    assert one.wait_s(10) == 0
    one.enter(10)
    assert one.wait_s(10) > 0
    one.succeed()
    assert one.wait_s(10) == 0


def test_three_rests_are_waited_for_and_no_fourth() -> None:
    one, now = host(breaker_failures=1, breaker_rest_s=10), 0
    for _ in range(3):
        one.fail(now)
        assert one.wait_s(now) == 10
        now += 10
    one.fail(now)
    with pytest.raises(PassingError, match="a: failed 4 times in a row") as caught:
        one.wait_s(now)
    assert caught.value.reason == "host-down"
    now += 10
    assert one.wait_s(now) == 0  # it is tried even so, by one at a time
    one.enter(now)
    with pytest.raises(PassingError, match="failed 4 times"):
        one.wait_s(now)
    one.succeed()
    one.fail(now)
    assert one.wait_s(now) == 10


def test_only_a_host_of_which_nothing_is_known_may_be_forgotten() -> None:
    one = host(HostLimit(per_second=1, burst=1))
    assert one.is_forgettable(1)
    one.enter(1)
    assert not one.is_forgettable(9)
    one.leave()
    assert not one.is_forgettable(1.5)  # its next request would come too early
    assert one.is_forgettable(2)
    one.pause(5, 2)
    assert not one.is_forgettable(6)
    assert one.is_forgettable(8)
