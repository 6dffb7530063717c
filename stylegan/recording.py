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
from typing import Any, Generic, TypeAlias, TypeVar

import torch
from torch import nn
from torch.nn.modules import module as torch_module

__all__ = ["Pool", "Recordings", "held_by", "record"]

Pool: TypeAlias = Any
"""Of `torch.cuda.graph_pool_handle`."""
Result = TypeVar("Result")
Kept = TypeVar("Kept")

_FAMILIAR = 2  # calls alike before the one that is recorded
_MOST_KEYS = 256  # of which is known how often they came

_SETTINGS = frozenset([bool, int, float, str, type(None), torch.dtype])

_log = logging.getLogger("stylegan")
# torch promises nobody a way to ask; without one, hooks on all modules are not heard.
_has_global_hook: Callable[[], bool] = getattr(torch_module, "_has_any_global_hook", bool)


def record(
    compute: Callable[[], Result], device: torch.device, pool: Pool | None = None
) -> tuple[Result, Callable[[], None]]:
    """Record what `compute` has a CUDA device do, without having it done.

    Args:
        compute: may not wait for the device, nor copy from memory that is not pinned.
        device: the current one meanwhile.
        pool: to share memory with recordings that nobody replays meanwhile.

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


def held_by(network: nn.Module) -> tuple[Hashable, ...] | None:
    """What a recording of a network's forward pass holds on to, besides its arguments.

    Returns:
        Where its tensors lie, and its settings; None where a forward pass is more than its modules', as hooks hang on
        it or a `forward` was replaced.
    """
    if _has_global_hook():
        return None
    held: list[Any] = []
    modules = [network]
    for module in modules:  # the list grows on the way
        own = vars(module)
        if own["_forward_hooks"] or own["_forward_pre_hooks"] or "forward" in own:
            return None
        held += [x.data_ptr() for x in own["_parameters"].values() if x is not None]
        for name, buffer in own["_buffers"].items():
            if buffer is not None:
                held.append(buffer.data_ptr())
                if name == "resample_filter":  # its taps are read when a call is recorded
                    held.append(0 if buffer.is_inference() else buffer._version)
        held += [value for value in own.values() if type(value) in _SETTINGS]
        modules += [child for child in own["_modules"].values() if child is not None]
    return tuple(held)


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
