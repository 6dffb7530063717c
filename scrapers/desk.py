"""Politeness for many processes: one desk gives out places at hosts, first come first served (`scrapers.host`).

`bend.cluster.desk` runs it as an actor of a Ray cluster, of which it knows nothing. All its methods run on one event
loop, so that nothing needs a lock and a thousand visitors may wait. A place is lent to a holder, such as one attempt at
a shard. Holders report every few seconds that they are alive; one that stops loses its places to others, so that a
killed machine does not keep them for ever.
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from scrapers.errors import PassingError
from scrapers.host import Host, HostRules
from scrapers.source import HostLimit

__all__ = ["BEAT_S", "Admission", "Desk", "Word"]

Word = tuple[str, float]
"""What a visitor reports of a host: `succeeded`, `failed` or `pause`, and the seconds of a pause."""

BEAT_S = 2.0
"""How often a holder should say that it is alive."""

_SILENCE_S = 30.0
_MEMORY_S = 3600.0
_MAX_HOSTS = 2_000  # idle hosts beyond this are forgotten


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The answer to a visitor.

    Attributes:
        lease: number of the place; None where there is none.
        is_metered: the host's bandwidth is limited, so that bytes are to be reported to `spend`.
        reason, detail: why there is no place, as in a `PassingError`.
    """

    lease: int | None = None
    is_metered: bool = False
    reason: str = ""
    detail: str = ""


class Desk:
    """Gives out places at hosts.

    Args:
        rules: what holds for every host.
        default: the pace of every host that `set_limit` says nothing about.
        silence_s: a holder that has not reported for so long counts as dead.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        rules: HostRules,
        default: HostLimit,
        *,
        silence_s: float = _SILENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules = rules
        self._default = default
        self._silence_s = silence_s
        self._clock = clock
        self._limits: dict[str, HostLimit] = {}
        self._counters: dict[str, _Counter] = {}
        self._leases: dict[int, tuple[str, _Counter]] = {}
        self._heard: dict[str, float] = {}
        self._memory: dict[str, tuple[str, float]] = {}
        self._numbers = itertools.count(1)
        self._reaped_at = clock()

    async def set_limit(self, netloc: str, limit: HostLimit) -> None:
        """Give a host its own limit from now on; saying the same again changes nothing."""
        if self._limits.get(netloc) == limit:
            return
        self._limits[netloc] = limit
        if counter := self._counters.get(netloc):
            counter.host.set_limit(limit)
            if counter.timer:
                counter.timer.cancel()
                counter.timer = None
            self._serve(counter)

    async def slow_down(self, netloc: str, limit: HostLimit) -> None:
        """Keep a host to this limit as well as to the one that it has."""
        await self.set_limit(netloc, self._limits.get(netloc, self._default).slowed(limit))

    async def enter(self, holder: str, netloc: str) -> Admission:
        """Wait for a place at a host."""
        await self.beat(holder)
        counter = self._counter(netloc)
        answer: asyncio.Future[Admission] = asyncio.get_running_loop().create_future()
        counter.queue.append((holder, answer))
        self._serve(counter)
        return await answer

    async def leave(self, lease: int, words: tuple[Word, ...]) -> None:
        """Give a place back, and tell how the host was."""
        if (found := self._leases.pop(lease, None)) is None:
            return  # its holder was thought dead
        _, counter = found
        now = self._clock()
        for word, seconds in words:
            if word == "succeeded":
                counter.host.succeed()
            elif word == "failed":
                counter.host.fail(now)
            else:
                counter.host.pause(seconds, now)
        counter.host.leave()
        self._serve(counter)

    async def spend(self, lease: int, num_bytes: int) -> float:
        """Count bytes; seconds to wait before more are read."""
        found = self._leases.get(lease)
        return found[1].host.spend(num_bytes, self._clock()) if found else 0.0

    async def beat(self, holder: str) -> None:
        """A holder is alive."""
        now = self._heard[holder] = self._clock()
        if now - self._reaped_at > self._silence_s / 4:
            self._reaped_at = now
            for name in [name for name, at in self._heard.items() if now - at > self._silence_s]:
                await self.forget(name)

    async def forget(self, holder: str) -> None:
        """A holder has died, or is done: its places are free."""
        self._heard.pop(holder, None)
        for counter in tuple(self._counters.values()):
            for waiting, answer in counter.queue:
                if waiting == holder and not answer.done():
                    answer.set_result(Admission(reason="stopped", detail="its holder is gone"))
        for lease in [number for number, (owner, _) in self._leases.items() if owner == holder]:
            await self.leave(lease, ())

    async def recall(self, key: str) -> str | None:
        """What a holder found out within the hour, such as a robots.txt."""
        text, at = self._memory.get(key, (None, 0.0))
        return text if self._clock() - at < _MEMORY_S else None

    async def remember(self, key: str, text: str) -> None:
        """Keep it for the others."""
        if len(self._memory) >= _MAX_HOSTS:
            self._memory.clear()
        self._memory[key] = (text, self._clock())

    async def num_lent(self) -> int:
        """Places that are taken now."""
        return len(self._leases)

    def _counter(self, netloc: str) -> "_Counter":
        if netloc not in self._counters and len(self._counters) >= _MAX_HOSTS:
            now = self._clock()
            kept = {
                name: counter
                for name, counter in self._counters.items()
                if counter.queue or not counter.host.is_forgettable(now)
            }
            self._counters = kept
        if netloc not in self._counters:
            limit = self._limits.get(netloc, self._default)
            self._counters[netloc] = _Counter(Host(netloc, limit, self._rules))
        return self._counters[netloc]

    def _serve(self, counter: "_Counter") -> None:
        """Let in whoever is next, as long as there are places."""
        while counter.queue:
            holder, answer = counter.queue[0]
            if not answer.done():
                now = self._clock()
                try:
                    wait_s = counter.host.wait_s(now)
                except PassingError as error:
                    answer.set_result(Admission(reason=error.reason, detail=str(error)))
                else:
                    if wait_s > 0:
                        self._serve_later(counter, wait_s)
                        return
                    counter.host.enter(now)
                    lease = next(self._numbers)
                    self._leases[lease] = (holder, counter)
                    answer.set_result(Admission(lease=lease, is_metered=counter.host.is_metered))
            counter.queue.popleft()

    def _serve_later(self, counter: "_Counter", seconds: float) -> None:
        if counter.timer is None:

            def ring() -> None:
                counter.timer = None
                self._serve(counter)

            counter.timer = asyncio.get_running_loop().call_later(seconds, ring)


class _Counter:
    """A host, and who waits for it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.queue: deque[tuple[str, asyncio.Future[Admission]]] = deque()
        self.timer: asyncio.TimerHandle | None = None
