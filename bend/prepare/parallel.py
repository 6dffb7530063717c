"""A function over many items on several processes: in order, and with only a few items in flight.

`ProcessPoolExecutor.map` submits everything at once and lets results pile up behind a slow one. Here at most
a few items a worker are under way or waiting, so memory stays flat however many there are. Workers are
started afresh rather than forked, since the caller may run threads (torch does); they leave Ctrl-C to their
parent, and die with it.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from typing import TypeVar

__all__ = ["map_in_order"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_IN_FLIGHT = 4  # items a worker


def map_in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, num_workers: int
) -> Generator[Result, None, None]:
    """Yield `function(item)` for every item, in their order.

    Args:
        function: picklable, as are items and results; for one worker it is called right here.
        items: read only as far as there is room in flight.
        num_workers: processes.

    Raises:
        concurrent.futures.process.BrokenProcessPool: a worker was killed, most likely for want of memory.
    """
    if num_workers == 1:
        yield from map(function, items)
        return
    pool = ProcessPoolExecutor(num_workers, mp_context=_context(), initializer=_settle_in)
    try:
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= _IN_FLIGHT * num_workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _context() -> multiprocessing.context.BaseContext:
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")


def _settle_in() -> None:
    """First thing in a worker: leave Ctrl-C to the parent, and go when the parent has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
