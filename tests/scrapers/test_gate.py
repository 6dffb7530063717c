"""Pace, places, pauses and the breaker, by a clock that the test turns."""

import threading
import time

import pytest

from scrapers.errors import PassingError
from scrapers.gate import Gate
from scrapers.host import HostRules, TokenBucket
from scrapers.source import HostLimit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(clock: Clock | None = None, **settings: float) -> Gate:
    limit = HostLimit(per_second=1000, burst=1000, concurrency=2)
    return Gate(
        default=limit,
        stop=threading.Event(),
        clock=clock or time.monotonic,
        rules=HostRules(**settings),  # type: ignore[arg-type]
    )


def fail(gate: Gate, times: int) -> None:
    for _ in range(times):
        with gate.visit("a") as visit:
            visit.failed()


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = TokenBucket(rate=2.0, size=3)
    for _ in range(3):
        assert bucket.wait_s(0.0) == 0
        bucket.take(1, 0.0)
    assert bucket.wait_s(0.0) == pytest.approx(0.5)
    assert bucket.wait_s(0.5) == 0
    assert bucket.take(9, 100.0) == pytest.approx(3.0)  # 3 saved up, 6 owed at 2 a second


@pytest.mark.parametrize(("per_minute", "burst"), [(10, 10), (80, 20)])
def test_a_minute_never_holds_more_than_burst_and_refill(per_minute: int, burst: int) -> None:
    bucket, now, times = TokenBucket(per_minute / 60, burst), 0.0, []
    while now < 60:
        now += bucket.wait_s(now)
        bucket.take(1, now)
        times.append(now)
    assert sum(1 for at in times if at < 60) <= per_minute + burst


def test_requests_are_paced() -> None:
    gate = make()
    gate.set_limit("a", HostLimit(per_second=50, burst=1, concurrency=4))
    began = time.monotonic()
    for _ in range(6):
        with gate.visit("a"):
            pass
    assert 0.09 < time.monotonic() - began < 60


def test_a_new_pace_leaves_visitors_pause_and_failures_as_they_are(clock: Clock) -> None:
    gate = make(clock, breaker_failures=3, breaker_rest_s=1000, max_pause_s=60)
    with gate.visit("a") as visit:
        visit.failed()
        gate.set_limit("a", HostLimit(per_second=1000, burst=1000, concurrency=1))
        host = gate._rooms["a"].host
        assert host.wait_s(clock()) > 0  # its only place is taken
    fail(gate, 2)
    with pytest.raises(PassingError, match="left alone for 1000 s"), gate.visit("a"):
        pass
    gate.set_limit("a", HostLimit())
    with pytest.raises(PassingError, match="left alone for 1000 s"), gate.visit("a"):
        pass


def test_a_host_is_slowed_down_and_never_sped_up() -> None:
    gate = make()
    default = gate._default
    gate.slow_down("a", HostLimit(per_second=1e9, burst=10**9, concurrency=10**9))
    assert gate._limits["a"] == default
    gate.set_limit("a", HostLimit(per_second=2, burst=2, concurrency=2, bytes_per_second=1000))
    with gate.visit("a"):
        pass
    gate.slow_down("a", HostLimit(per_second=9, burst=1, concurrency=1))
    assert gate._rooms["a"].host.limit == HostLimit(
        per_second=2, burst=1, concurrency=1, bytes_per_second=1000
    )


def test_only_so_many_are_inside_at_once() -> None:
    gate = make()
    inside, most, lock = 0, 0, threading.Lock()
    pair = threading.Barrier(2, timeout=60)  # none leaves before another has come in

    def go() -> None:
        nonlocal inside, most
        with gate.visit("a"):
            with lock:
                inside += 1
                most = max(most, inside)
            pair.wait()
            with lock:
                inside -= 1

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_the_breaker_rests_a_host_then_tries_once_then_gives_up(clock: Clock) -> None:
    gate = make(clock, breaker_failures=2, breaker_rest_s=10)
    fail(gate, 2)
    for _ in range(3):  # three rests are waited for
        clock.now += 11
        fail(gate, 1)
    with pytest.raises(PassingError, match="a: failed 5 times in a row") as caught, gate.visit("a"):
        pass
    assert caught.value.reason == "host-down"
    clock.now += 11
    with gate.visit("a") as visit:
        with pytest.raises(PassingError), gate.visit("a"):
            pass  # a single request tries it
        visit.succeeded()
    with gate.visit("a"), gate.visit("a"):
        pass


def test_a_success_in_between_keeps_the_breaker_shut(clock: Clock) -> None:
    gate = make(clock, breaker_failures=2)
    for _ in range(5):
        fail(gate, 1)
        with gate.visit("a") as visit:
            visit.succeeded()


def test_failures_of_one_host_do_not_touch_another(clock: Clock) -> None:
    gate = make(clock, breaker_failures=1)
    fail(gate, 1)
    with gate.visit("b"):
        pass


def test_too_long_a_pause_is_not_waited_for(clock: Clock) -> None:
    gate = make(clock, max_pause_s=60)
    with gate.visit("a") as visit:
        visit.pause(3600)
    with pytest.raises(PassingError, match="left alone for 3600 s"), gate.visit("a"):
        pass


def test_waiting_ends_when_the_scrape_stops() -> None:
    gate = make()
    with gate.visit("a") as visit:
        visit.pause(30)
    threading.Timer(0.05, gate.stop.set).start()
    began = time.monotonic()
    with pytest.raises(PassingError) as caught, gate.visit("a"):
        pass
    assert caught.value.reason == "stopped"
    assert time.monotonic() - began < 25


def test_bandwidth_is_kept() -> None:
    gate = make()
    gate.set_limit("a", HostLimit(per_second=1000, burst=10, bytes_per_second=10_000))
    began = time.monotonic()
    with gate.visit("a") as visit:
        for _ in range(6):
            visit.spend(2_000)
    assert 0.15 < time.monotonic() - began < 60


def test_idle_hosts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scrapers.gate._MAX_HOSTS", 10)
    gate = make()
    for number in range(100):
        with gate.visit(f"host{number}"):
            pass
    assert len(gate._rooms) <= 11
