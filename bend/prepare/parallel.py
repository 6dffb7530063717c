"""Maps a function over many items with several processes, in order, and with only a few items in flight.

`ProcessPoolExecutor.map` submits everything at once; here only a few items a worker are in flight, so that memory stays
bounded. Its processes would also either be forked, which is not safe with torch's threads, or import the caller's main
module, which would run an unguarded script again. So workers are plain subprocesses (`bend.prepare.worker`), each
driven by a thread through pipes. They end when their pipe closes, even if this process is killed, and Ctrl-C reaches
only this process.
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
        function: picklable by name, as are items and results; with one worker it is called in this process.
        items: read only as far as they fit in flight.
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
        crew.stop()  # first, so that no thread is left waiting for an answer
        threads.shutdown(cancel_futures=True)


class _Crew:
    """Worker processes for one function; `ask` may be called from as many threads."""

    def __init__(self, function: Callable[[Any], Any], num_workers: int) -> None:
        self._workers = [_start() for _ in range(num_workers)]
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        for worker in self._workers:
            _send(worker, function)
            self._idle.put(worker)

    def ask(self, item: Any) -> Any:
        """Call the function with `item` in a process that is idle."""
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
        """Kill the processes, and wait until they have ended."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                assert pipe is not None
                with contextlib.suppress(OSError):  # what could not be sent is not needed any more
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
            f"a worker process was killed by signal {-worker.returncode}, most likely for lack of memory; "
            "try fewer --workers"
        )
    return PackageError("a worker process failed; what it wrote above says why")
