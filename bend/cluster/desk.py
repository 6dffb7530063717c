"""The desk of `scrapers.desk` as a named actor: one for the whole cluster and all scrapes on it.

It outlives the command that started it, so that a pause which a host asked for also holds for the next command, and
two scrapes at the same time share each host's limits. It needs no processor of its own and a few kilobytes a host. If
its machine is lost, Ray restarts it without its state.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from scrapers.client import host_rules
from scrapers.config import ClientConfig
from scrapers.desk import BEAT_S, Admission, Desk, Word
from scrapers.errors import PassingError
from scrapers.source import HostLimit

__all__ = ["DeskDoor", "open_desk"]

_NAMESPACE = "bend"
_NAME = "desk-2"  # the number goes up when its methods change
_MOST_WAITING = 10_000


def open_desk(ray: Any, config: ClientConfig) -> Any:
    """The cluster's desk, started with the `config` of whoever asks first."""
    actor = ray.remote(Desk).options(
        name=_NAME,
        namespace=_NAMESPACE,
        get_if_exists=True,
        lifetime="detached",
        num_cpus=0,
        max_concurrency=_MOST_WAITING,
        max_restarts=-1,
        max_task_retries=-1,
    )
    return actor.remote(host_rules(config), config.default_limit)


class DeskDoor:
    """One holder's access to the desk; a `scrapers.shard.SharedDoor`. Safe to use from many threads.

    Args:
        ray: the module.
        holder: a unique name, under which it holds places.
        desk: the actor; found by its name if left out.
    """

    def __init__(self, ray: Any, holder: str, desk: Any = None) -> None:
        self._holder = holder
        self._desk = ray.get_actor(_NAME, _NAMESPACE) if desk is None else desk
        self._is_closed = threading.Event()
        threading.Thread(target=self._beat, name="desk-beat", daemon=True).start()

    def set_limit(self, netloc: str, limit: HostLimit) -> None:
        """Give a host its own limit from now on."""
        _answer(self._desk.set_limit.remote(netloc, limit))

    def slow_down(self, netloc: str, limit: HostLimit) -> None:
        """Give a host this limit in addition to the one that it has."""
        _answer(self._desk.slow_down.remote(netloc, limit))

    @contextlib.contextmanager
    def visit(self, netloc: str) -> Iterator["_Stay"]:
        """As `scrapers.gate.Door`."""
        admission: Admission = _answer(self._desk.enter.remote(self._holder, netloc))
        if admission.lease is None:
            raise PassingError(admission.reason, admission.detail)
        stay = _Stay(self, admission)
        try:
            yield stay
        finally:
            self._desk.leave.remote(admission.lease, tuple(stay.words))

    def recall(self, key: str) -> str | None:
        """What any holder has remembered under a key; None if nothing."""
        known: str | None = _answer(self._desk.recall.remote(key))
        return known

    def remember(self, key: str, text: str) -> None:
        """Remember a text for all holders."""
        _answer(self._desk.remember.remote(key, text))

    def spend(self, lease: int, num_bytes: int) -> float:
        """Count bytes; gives the seconds to wait."""
        return float(_answer(self._desk.spend.remote(lease, num_bytes)))

    def forget(self, holder: str) -> None:
        """Free the places of a holder that has died."""
        self._desk.forget.remote(holder)

    def close(self) -> None:
        """Free all places of this holder."""
        self._is_closed.set()
        with contextlib.suppress(Exception):  # the cluster may have ended already
            self._desk.forget.remote(self._holder)

    def _beat(self) -> None:
        while not self._is_closed.wait(BEAT_S):
            try:
                self._desk.beat.remote(self._holder)
            except Exception:  # noqa: BLE001 - the cluster has ended
                return


def _answer(promise: Any) -> Any:
    """Wait for the desk's answer; not with `ray.get`, during which Ray would give the task's core to another task."""
    return promise.future().result()


class _Stay:
    """A `scrapers.gate.Visit` that collects what is to be told to the desk on leaving."""

    def __init__(self, door: DeskDoor, admission: Admission) -> None:
        self.words: list[Word] = []
        self._door = door
        self._admission = admission

    def succeeded(self) -> None:
        self.words.append(("succeeded", 0.0))

    def failed(self) -> None:
        self.words.append(("failed", 0.0))

    def pause(self, seconds: float) -> None:
        self.words.append(("pause", seconds))

    def spend(self, num_bytes: int) -> None:
        if self._admission.is_metered and self._admission.lease is not None:
            time.sleep(self._door.spend(self._admission.lease, num_bytes))
