"""The desk that gives out places to many processes: order, limits, and places held by the dead."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from scrapers.desk import Admission, Desk
from scrapers.host import HostRules
from scrapers.source import HostLimit

LIMIT = HostLimit(per_second=1e6, burst=1000, concurrency=2)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def desk(limit: HostLimit = LIMIT, clock: Clock | None = None, **rules: Any) -> Desk:
    made = HostRules(**rules)
    return Desk(made, limit, clock=clock) if clock else Desk(made, limit)


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scene, 30))


async def settle() -> None:
    """Let everything run that can run."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_places_go_to_those_who_came_first() -> None:
    async def scene() -> None:
        one = desk()
        first, second = await one.enter("a", "h"), await one.enter("b", "h")
        waiting = [asyncio.create_task(one.enter(name, "h")) for name in "cd"]
        await settle()
        assert not any(task.done() for task in waiting)
        assert (await one.enter("e", "elsewhere")).lease
        assert second.lease is not None
        await one.leave(second.lease, ())
        await settle()
        assert [task.done() for task in waiting] == [True, False]
        assert first.lease is not None
        await one.leave(first.lease, ())
        assert (await waiting[1]).lease
        assert await one.num_lent() == 3

    play(scene())


def test_requests_are_paced_for_all_together() -> None:
    async def scene() -> None:
        one = desk(HostLimit(per_second=20, burst=1, concurrency=8))
        loop = asyncio.get_running_loop()
        times = []
        for number in range(5):
            assert (await one.enter(f"holder{number}", "h")).lease
            times.append(loop.time())
        assert times[-1] - times[0] >= 0.19

    play(scene())


def test_a_pause_and_the_breaker_hold_for_everybody() -> None:
    async def scene() -> None:
        clock = Clock()
        one = desk(clock=clock, max_pause_s=60.0, breaker_failures=1, breaker_rest_s=10.0)
        admission = await one.enter("a", "h")
        assert admission.lease is not None
        await one.leave(admission.lease, (("pause", 90.0),))
        told = await one.enter("b", "h")
        assert (told.lease, told.reason) == (None, "rate-limited")
        assert "asks to be left alone for 90 s" in told.detail
        for _ in range(4):
            clock.now += 100
            admission = await one.enter("a", "h")
            assert admission.lease is not None
            await one.leave(admission.lease, (("failed", 0.0),))
        assert (await one.enter("b", "h")).reason == "host-down"

    play(scene())


def test_what_a_silent_holder_held_is_given_to_others() -> None:
    async def scene() -> None:
        clock = Clock()
        one = desk(clock=clock)
        await one.enter("dead", "h"), await one.enter("dead", "h")
        waiting = asyncio.create_task(one.enter("alive", "h"))
        await settle()
        for _ in range(9):
            clock.now += 5
            await one.beat("alive")
        assert (await waiting).lease
        assert await one.num_lent() == 1

    play(scene())


def test_a_forgotten_holder_is_turned_away_and_its_places_are_free() -> None:
    async def scene() -> None:
        one = desk()
        held = [await one.enter("lost", "h") for _ in range(2)]
        lost, waiting = (asyncio.create_task(one.enter(name, "h")) for name in ("lost", "next"))
        await settle()
        await one.forget("lost")
        assert (await lost) == Admission(reason="stopped", detail="its holder is gone")
        assert (await waiting).lease
        assert held[0].lease is not None
        await one.leave(held[0].lease, (("failed", 0.0),))  # too late to count
        assert await one.num_lent() == 1

    play(scene())


def test_a_limit_said_again_changes_nothing_and_a_new_one_takes_the_queue_along() -> None:
    async def scene() -> None:
        one = desk()
        slow = HostLimit(per_second=0.001, burst=1, concurrency=1)
        await one.set_limit("h", slow)
        assert (await one.enter("a", "h")).lease
        waiting = asyncio.create_task(one.enter("b", "h"))
        await one.set_limit("h", slow)
        await settle()
        assert not waiting.done()
        await one.set_limit("h", HostLimit(bytes_per_second=1000.0))
        admission = await waiting
        assert admission.is_metered
        assert admission.lease is not None
        assert await one.spend(admission.lease, 3000) == pytest.approx(2.0, abs=0.1)

    play(scene())


def test_a_new_limit_leaves_visitors_and_pause_as_they_are() -> None:
    async def scene() -> None:
        clock = Clock()
        one = desk(clock=clock, max_pause_s=60.0)
        first = await one.enter("a", "h")
        assert first.lease is not None
        await one.set_limit("h", HostLimit(per_second=1e6, burst=1000, concurrency=1))
        waiting = asyncio.create_task(one.enter("b", "h"))
        await settle()
        assert not waiting.done()
        await one.leave(first.lease, (("pause", 90.0),))
        assert (await waiting).reason == "rate-limited"
        await one.set_limit("h", LIMIT)
        assert (await one.enter("c", "h")).reason == "rate-limited"

    play(scene())


def test_a_faster_limit_is_heard_by_who_waits_for_the_slower() -> None:
    async def scene() -> None:
        one = desk(HostLimit(per_second=0.001, burst=1))
        assert (await one.enter("a", "h")).lease
        waiting = [asyncio.create_task(one.enter("a", "h")) for _ in range(2)]
        await settle()
        await one.set_limit("h", HostLimit(per_second=100, burst=1))
        for admission in await asyncio.gather(*waiting):
            assert admission.lease

    play(scene())


def test_a_host_is_slowed_down_and_never_sped_up() -> None:
    async def scene() -> None:
        one = desk()
        await one.slow_down("h", HostLimit(per_second=1e9, burst=1000, concurrency=1000))
        assert one._limits["h"] == LIMIT
        await one.set_limit("h", HostLimit(per_second=0.001, burst=3, bytes_per_second=1000.0))
        await one.slow_down("h", HostLimit(per_second=100, burst=1, concurrency=1))
        admission = await one.enter("a", "h")
        assert admission.is_metered
        assert admission.lease is not None
        await one.leave(admission.lease, ())
        waiting = asyncio.create_task(one.enter("a", "h"))
        await settle()
        assert not waiting.done()

    play(scene())


def test_what_one_finds_out_all_know_for_an_hour() -> None:
    async def scene() -> None:
        clock = Clock()
        one = desk(clock=clock)
        assert await one.recall("h/robots.txt") is None
        await one.remember("h/robots.txt", "")
        assert await one.recall("h/robots.txt") == ""
        clock.now += 3601
        assert await one.recall("h/robots.txt") is None

    play(scene())


def test_idle_hosts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        one = desk(clock=(clock := Clock()))
        for number in range(50):
            admission = await one.enter("a", f"host{number}")
            assert admission.lease is not None
            await one.leave(admission.lease, ())
            clock.now += 1
        assert len(one._counters) <= 10

    monkeypatch.setattr("scrapers.desk._MAX_HOSTS", 10)
    play(scene())
