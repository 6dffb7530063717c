"""Runs shards as tasks of Ray, a few more at a time than fit at once, and again where a worker was lost.

If a worker is lost (killed, out of memory, its machine gone), its shard is done again. A shard that is lost several
times, most likely because it is what kills the worker, ends the work.
"""

import contextlib
import os
import platform
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bend import __version__
from bend.cluster.connection import Cluster
from bend.cluster.shards import Shard, ShardFolder
from bend.errors import BendError, ClusterError
from bend.failpoint import VARIABLE, arm

__all__ = ["Job", "Runner"]

_TRIES = 4
_AHEAD = 2  # shards submitted for each task that runs at once


class Job(Protocol):
    """What is done with every shard; picklable."""

    def results(self, items: Sequence[Any], holder: str) -> Iterator[bytes]:
        """The results of a shard's items, in their order.

        Args:
            items: of the shard.
            holder: a unique name of this attempt.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What travels to a worker."""

    job: Job
    shard: Shard
    folder: Path
    run: str
    attempt: int
    version: str
    failpoint: str | None

    @property
    def holder(self) -> str:
        return f"{self.run}-{self.shard.name}.{self.attempt}"


class Runner:
    """Does shards on a cluster.

    Args:
        cluster: where.
        job: what is done with each shard.
        folder: where the results go.
        warn: called with a message when a worker was lost.
        on_lost: called with the holder's name of a lost attempt.
    """

    def __init__(
        self,
        cluster: Cluster,
        job: Job,
        folder: ShardFolder,
        *,
        warn: Callable[[str], None],
        on_lost: Callable[[str], None] = lambda holder: None,
    ) -> None:
        self.num_ahead = _AHEAD * cluster.num_slots
        self._ray = cluster.ray
        self._job = job
        self._folder = folder
        self._warn = warn
        self._on_lost = on_lost
        self._run = uuid.uuid4().hex[:12]
        self._failpoint = os.environ.get(VARIABLE)
        # A failpoint cannot be disarmed, so a worker that has one does a single shard.
        once = {"max_calls": 1} if self._failpoint else {}
        self._remote = cluster.ray.remote(max_retries=0, num_cpus=1, **once)(_do)
        self._tasks: dict[Any, _Task] = {}

    def in_order(self, shards: Iterable[Shard]) -> Iterator[Shard]:
        """Do the shards, and yield each when it and all before it are done.

        Raises:
            ClusterError: a shard was lost several times, or a machine cannot do the work.
            BendError, OSError: what a task raised.
        """
        left = iter(shards)
        begun: deque[Shard] = deque()
        while True:
            while len(self._tasks) < self.num_ahead and (shard := next(left, None)) is not None:
                begun.append(shard)
                if not self._folder.is_done(shard.name):
                    self.submit(shard)
            if not begun:
                return
            if self.is_running(begun[0]):
                self._look()
            else:
                yield begun.popleft()

    def submit(self, shard: Shard, attempt: int = 1) -> None:
        """Have a shard done."""
        task = _Task(
            job=self._job,
            shard=shard,
            folder=self._folder.path,
            run=self._run,
            attempt=attempt,
            version=__version__,
            failpoint=self._failpoint,
        )
        self._tasks[self._remote.remote(task)] = task

    def is_running(self, shard: Shard) -> bool:
        """Whether a submitted shard is not done yet."""
        return any(task.shard.name == shard.name for task in self._tasks.values())

    def wait(self, shard: Shard) -> None:
        """Wait for a submitted shard.

        Raises:
            ClusterError, BendError, OSError: as `in_order`.
        """
        while self.is_running(shard):
            self._look()

    def close(self) -> None:
        """Cancel all tasks."""
        for promise in self._tasks:
            with contextlib.suppress(Exception):
                self._ray.cancel(promise, force=True)
        self._tasks.clear()

    def _look(self) -> None:
        """Wait up to a second for a task to end, and see what became of it."""
        ended, _ = self._ray.wait(list(self._tasks), num_returns=1, timeout=1.0)
        for promise in ended:
            task = self._tasks.pop(promise)
            try:
                self._ray.get(promise)
            except self._ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, BendError | OSError):
                    raise error.cause from None
                raise
            except self._ray.exceptions.RayError as error:
                self._again(task, type(error).__name__)

    def _again(self, task: _Task, how: str) -> None:
        self._on_lost(task.holder)
        if task.attempt == _TRIES:
            raise ClusterError(
                f"shard {task.shard.name} lost its worker {_TRIES} times (last: {how}), most likely for want of "
                "memory; run the same command again with more memory a worker, the other shards are kept"
            )
        self._warn(f"shard {task.shard.name} lost its worker ({how}); it is done again")
        self.submit(task.shard, task.attempt + 1)


def _do(task: _Task) -> None:
    """Do a shard, unless it is done; called in the worker."""
    if task.version != __version__:
        raise ClusterError(
            f"{platform.node()} has bend {__version__}, but {task.version} is required; install the same everywhere"
        )
    if not task.folder.is_dir():
        raise ClusterError(
            f"{platform.node()} does not see {task.folder}; --engine ray needs a folder that all machines share"
        )
    if task.failpoint is not None:
        arm(task.failpoint)
    folder = ShardFolder(path=task.folder)
    if not folder.is_done(task.shard.name):
        results = task.job.results(task.shard.items, task.holder)
        folder.write(task.shard.name, results, str(task.attempt))
