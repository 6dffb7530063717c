"""Work recorded once and replayed: CUDA graphs, where launching kernels takes longer than running them.

A small kernel runs for a few microseconds and takes the host as long to launch, Python not counted. So a repeated call
is recorded the third time (the first two let libraries choose kernels, and fill caches), and is a single launch from
then on. A recording reads and writes the memory it was made with: whoever replays it copies arguments in and results
out, and makes a new recording once anything else lies elsewhere. The callers decide what may be replayed, and what that
depends on: `stylegan.inference.replay` for drawing, `stylegan.training.graphs` for training.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from stylegan.device import allows_tf32
from stylegan.hooks import untouched_modules
from stylegan.ops import native

__all__ = ["Pool", "Recordings", "held_by", "may_record", "record", "surroundings"]

Pool: TypeAlias = Any
"""Of `torch.cuda.graph_pool_handle`."""
Result = TypeVar("Result")
Kept = TypeVar("Kept")

_FAMILIAR = 2  # calls alike before the one that is recorded
_MOST_KEYS = 256  # whose calls are counted

_SETTINGS = frozenset([bool, int, float, str, type(None), torch.dtype, np.float32, np.float64])

_log = logging.getLogger("stylegan")
_recording = threading.Lock()
_streams: dict[tuple[int, int], torch.cuda.Stream] = {}


def may_record(device: torch.device) -> bool:
    """Whether work on a device can be recorded now: on CUDA, with native operations, outside another recording."""
    return device.type == "cuda" and native.available("cuda") and not torch.cuda.is_current_stream_capturing()


def record(
    compute: Callable[[], Result], device: torch.device, pool: Pool | None = None
) -> tuple[Result, Callable[[], None]]:
    """Record what `compute` launches on a CUDA device, without running it.

    Args:
        compute: may not wait for the device, nor copy from memory that is not pinned.
        device: where `compute` works.
        pool: memory to share with other recordings, none of which is replayed while a result of another is needed.

    Returns:
        What `compute` returned, whose tensors every replay fills, and the replay, on the current stream.

    Raises:
        RuntimeError: `compute` cannot be recorded, or memory does not suffice.
    """
    graph = torch.cuda.CUDAGraph()
    before = torch.cuda.current_stream(device)
    # Other threads may go on allocating, but one records at a time.
    with _recording, torch.cuda.device(device):
        stream, tries = _stream_beside(before), torch.backends.cudnn.benchmark
        torch.backends.cudnn.benchmark = False  # trying kernels waits for the device
        try:
            with torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                result = compute()
        finally:
            torch.backends.cudnn.benchmark = tries
            torch.cuda.set_stream(before)  # where a recording cannot be ended, torch stays on its stream
    return result, graph.replay


def surroundings(device: torch.device) -> tuple[Hashable, ...]:
    """What a recording depends on besides networks and arguments."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    return (
        torch.cuda.current_stream(device).cuda_stream,
        device.index,
        *allows_tf32(),
        matmul.allow_fp16_reduced_precision_reduction,
        matmul.allow_bf16_reduced_precision_reduction,
        cudnn.enabled,
        cudnn.deterministic,
        torch.are_deterministic_algorithms_enabled(),
    )


def held_by(network: nn.Module) -> tuple[Hashable, ...] | None:
    """What a recording of a network's forward pass depends on, besides its arguments.

    Returns:
        Where its tensors lie, how they are laid out, and its settings; None where a module has hooks or a replaced
        `forward`.
    """
    modules = untouched_modules(network)
    if modules is None:
        return None
    held: list[Any] = []
    for module in modules:
        own = vars(module)
        held += [_lies(x) for x in own["_parameters"].values() if x is not None]
        for name, buffer in own["_buffers"].items():
            if buffer is not None:
                held.append(_lies(buffer))
                if name == "resample_filter":  # its taps are read when a call is recorded
                    held.append(0 if buffer.is_inference() else buffer._version)
        held += [value for value in own.values() if type(value) in _SETTINGS]
    return tuple(held)


class Recordings(Generic[Kept]):
    """Recordings of repeated calls, each found by all that it depends on.

    Args:
        most: recordings kept; the one unused for longest goes first, with its memory.
    """

    def __init__(self, most: int) -> None:
        self.lock = threading.RLock()
        """Held while a recording is made or played: its memory is shared by all who play it."""
        self._most = most
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._times: OrderedDict[Hashable, int] = OrderedDict()
        self._refused: OrderedDict[Hashable, None] = OrderedDict()

    def find(self, key: Hashable, make: Callable[[], Kept]) -> Kept | None:
        """The recording of a call, made now if the call has come often enough; None where the caller must compute.

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
            try:
                self._kept[key] = made = make()
            except RuntimeError as error:
                self._refuse(key, error)
                return None
            _shorten(self._kept, self._most)
            return made

    def clear(self) -> None:
        """Drop all recordings; one that is being played lives until that is over."""
        with self.lock:
            self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def _is_familiar(self, key: Hashable) -> bool:
        self._times[key] = times = self._times.pop(key, 0) + 1
        _shorten(self._times, _MOST_KEYS)
        return times > _FAMILIAR

    def _refuse(self, key: Hashable, error: RuntimeError) -> None:
        if not self._refused:
            first: BaseException = error  # ending a recording fails too, for what went wrong in it
            while first.__context__ is not None:
                first = first.__context__
            _log.warning("not recorded, computed launch by launch: %s", str(first).partition("\n")[0])
        self._refused[key] = None
        _shorten(self._refused, _MOST_KEYS)


def _stream_beside(caller: torch.cuda.Stream) -> torch.cuda.Stream:
    """The stream to record on for a caller's stream, one for each: cuBLAS has a workspace for each of them."""
    key = caller.device_index, caller.cuda_stream
    if not _streams:
        # Recordings take over from the caller's stream, so its workspace of 32 MiB can go; but only before the first
        # recording, as recordings share theirs.
        torch._C._cuda_clearCublasWorkspaces()
    if key not in _streams:
        _streams[key] = torch.cuda.Stream(caller.device)
    return _streams[key]


def _lies(x: Tensor) -> tuple[Hashable, ...]:
    return x.data_ptr(), x.shape, x.stride(), x.dtype


def _shorten(kept: OrderedDict[Hashable, Any], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
