"""Work recorded once and replayed as it is: CUDA graphs, for what is made of more launches than of computing.

A small kernel runs for a few microseconds and costs the host as many to launch, Python not counted. So a call that
comes again is recorded the third time (the first two let libraries choose, and caches fill) and from then on it is one
launch. A recording reads and writes the memory it was made with: whoever replays copies arguments in and results out,
and makes a new recording once something else lies elsewhere. Who may be replayed, and what it depends on, is the
caller's: `stylegan.inference.replay` for drawing, `stylegan.training.graphs` for training.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import torch

__all__ = ["Recordings", "record"]

Result = TypeVar("Result")
Kept = TypeVar("Kept")

_FAMILIAR = 2  # calls alike before the one that is recorded
_MOST_KEYS = 256  # of which is known how often they came

_log = logging.getLogger("stylegan")


def record(
    compute: Callable[[], Result], device: torch.device, pool: tuple[int, int] | None = None
) -> tuple[Result, Callable[[], None]]:
    """Record what `compute` has a CUDA device do, without having it done.

    Args:
        compute: may not wait for the device, nor copy from memory that is not pinned.
        device: the current one meanwhile.
        pool: of `torch.cuda.graph_pool_handle`, to share memory with recordings that nobody replays meanwhile.

    Returns:
        What `compute` returned, whose tensors every replay fills, and the replay, on the current stream.

    Raises:
        RuntimeError: `compute` cannot be recorded, or memory does not suffice.
    """
    graph = torch.cuda.CUDAGraph()
    # Other threads may go on allocating.
    with torch.cuda.device(device), torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
        result = compute()
    return result, graph.replay


class Recordings(Generic[Kept]):
    """What is kept of calls that come again, by whatever a recording of them depends on.

    Args:
        most: recordings kept; the one unused for longest goes first, with its memory.
    """

    def __init__(self, most: int) -> None:
        self.lock = threading.RLock()
        """Held while a recording is made or played: its memory is shared by all who play it."""
        self._most = most
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._times: OrderedDict[Hashable, int] = OrderedDict()
        self._refused: set[Hashable] = set()

    def find(self, key: Hashable, make: Callable[[], Kept]) -> Kept | None:
        """The recording of a call, made now if the call has become familiar; None where the caller must compute.

        Args:
            key: of the call.
            make: records it. Where that fails the reason is logged, and the call is never tried again.
        """
        with self.lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            if key in self._refused or not self._is_familiar(key):
                return None
            while len(self._kept) >= self._most:
                self._kept.popitem(last=False)
            try:
                self._kept[key] = make()
            except RuntimeError as error:
                self._refuse(key, error)
                return None
            return self._kept[key]

    def __len__(self) -> int:
        return len(self._kept)

    def _is_familiar(self, key: Hashable) -> bool:
        self._times[key] = times = self._times.pop(key, 0) + 1
        while len(self._times) > _MOST_KEYS:
            self._times.popitem(last=False)
        return times > _FAMILIAR

    def _refuse(self, key: Hashable, error: RuntimeError) -> None:
        if not self._refused:
            _log.warning("not recorded, computed launch by launch: %s", str(error).partition("\n")[0])
        self._refused.add(key)
