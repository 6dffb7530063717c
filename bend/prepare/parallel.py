"""A function over many items on several processes: in order, and with only a few items in flight.

At most a few items a worker are under way or waiting for their turn, so memory stays flat however many there
are; `ProcessPoolExecutor.map` submits everything at once. Its processes would also either be forked, which
the threads of a caller that uses torch forbid, or import the caller's main module, which runs an unguarded
script anew. So workers are plain subprocesses (`bend.prepare.worker`) that are asked through pipes, one
thread each: they end when their pipe does, even if this process was killed, and Ctrl-C reaches this process
alone.
"""

import contextlib
import os
import pickle
import queue
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from bend.errors import PackageError

__all__ = ["map_in_order", "num_cores"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_IN_FLIGHT = 4  # items a worker


def num_cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, num_workers: int
) -> Generator[Result, None, None]:
    """Yield `function(item)` for every item, in their order. Closing the generator stops the workers at once.

    Args:
        function: picklable by name, as are items and results; for one worker it is called right here.
        items: read only as far as there is room in flight.
        num_workers: processes.

    Raises:
        PackageError: a worker died.
    """
    if num_workers == 1:
        yield from map(function, items)
        return
    crew = _Crew(function, num_workers)
    threads = ThreadPoolExecutor(num_workers)
    try:
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(threads.submit(crew.ask, item))
            if len(pending) >= _IN_FLIGHT * num_workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        crew.stop()  # first, so that no thread waits for an answer any more
        threads.shutdown(cancel_futures=True)


class _Crew:
    """Worker processes that all know one function; `ask` may be called from as many threads."""

    def __init__(self, function: Callable[[Any], Any], num_workers: int) -> None:
        self._workers = [_start() for _ in range(num_workers)]
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        for worker in self._workers:
            _send(worker, function)
            self._idle.put(worker)

    def ask(self, item: Any) -> Any:
        """What the function makes of `item`, in whichever process is idle."""
        worker = self._idle.get()
        try:
            _send(worker, item)
            assert worker.stdout is not None
            return pickle.load(worker.stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            raise _obituary(worker) from None
        finally:
            self._idle.put(worker)

    def stop(self) -> None:
        """End the processes, whatever they are doing, and wait until they have gone."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                assert pipe is not None
                with contextlib.suppress(OSError):  # what could not be sent is not wanted any more
                    pipe.close()


def _start() -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "bend.prepare.worker"],  # -P: modules in the user's folder are not ours
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        process_group=0 if os.name == "posix" else None,  # Ctrl-C is for the terminal's foreground group
    )


def _send(worker: subprocess.Popen[bytes], value: Any) -> None:
    assert worker.stdin is not None
    worker.stdin.write(pickle.dumps(value))
    worker.stdin.flush()


def _obituary(worker: subprocess.Popen[bytes]) -> PackageError:
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.wait(timeout=1)
    if worker.returncode is not None and worker.returncode < 0:
        return PackageError(
            f"a worker process was killed by signal {-worker.returncode}, most likely for want of memory; "
            "try fewer --workers"
        )
    return PackageError("a worker process failed; what it wrote above says why")
