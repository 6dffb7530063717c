"""How fast the native operations are here, against the plain ones and against a mere copy of the same bytes.

`bend ops bench` and `benchmarks/ops.py` print what `measure` yields. Native and plain runs take turns and the least
time of each counts, since what else the machine does only ever adds. The share of the roofline is the time of copying
as many bytes as the operation must read and write, or of as many multiply-adds in a large product of matrices where
that is more, over the time that it took: beyond 100 % where Winograd's products are fewer, or a matrix unit's faster.
Batches on CUDA fill the device, and several runs are queued at once: its own clock times them, without the host's part.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor

from bend.op_cases import CASES, Case
from stylegan.allocator import keep_freed_memory
from stylegan.ops import native

__all__ = ["Timing", "measure", "table"]

_FEW_S = 0.4
_MOST_ROUNDS = 50
_MATRIX_SIDES = {"cpu": 1024, "cuda": 8192}
_CUDA_FEW_S = 0.15
_CUDA_QUEUED_S = 2e-3  # of work between two readings of the device's clock
_CUDA_QUEUED = 10  # runs there, at most
_CUDA_BYTES = 2**29  # of an input, so that no cache holds it; a quarter where multiply-adds count


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What a case took."""

    name: str
    """Which case."""
    shape: tuple[int, ...]
    """Of its input."""
    dtype: str
    """Of its input."""
    plain_ms: float
    """The least time of the plain operation."""
    native_ms: float
    """The least time of the native one."""
    gigabytes_per_s: float
    """What must be read and written, by the native one."""
    roofline: float
    """Time of a copy of as many bytes, or of as many multiply-adds, over the native time."""

    @property
    def ratio(self) -> float:
        """How many times faster the native operation is."""
        return self.plain_ms / self.native_ms


def measure(
    device: str,
    dtypes: tuple[torch.dtype, ...] = (torch.float32, torch.float16),
    cases: tuple[Case, ...] | None = None,
) -> Iterator[Timing]:
    """Time each case in each dtype, native against plain, in turns; on CUDA with larger batches.

    Args:
        device: a torch device whose native operations are loaded.
        dtypes: of the inputs.
        cases: what to time, `CASES` if None.
    """
    keep_freed_memory()  # as rendering and training do; else page faults are all that is measured
    for dtype in dtypes:
        for case in CASES if cases is None else cases:
            torch.manual_seed(0)
            layout = torch.contiguous_format if case.is_planar else torch.channels_last
            x = torch.randn(_shape(case, torch.device(device), dtype), device=device).to(dtype)
            yield _time(case, x.contiguous(memory_format=layout))


def table(timings: Iterator[Timing]) -> Iterator[str]:
    """Lines to print, a heading first, each as soon as it is known."""
    yield (
        f"{'operation':<20}{'input':<20}{'dtype':<10}{'plain ms':>10}{'native ms':>11}{'ratio':>8}{'GB/s':>8}"
        f"{'roofline':>10}"
    )
    for t in timings:
        shape = "x".join(map(str, t.shape))
        yield (
            f"{t.name:<20}{shape:<20}{t.dtype:<10}{t.plain_ms:>10.3f}{t.native_ms:>11.3f}{t.ratio:>7.1f}x"
            f"{t.gigabytes_per_s:>8.1f}{t.roofline:>10.0%}"
        )


def _shape(case: Case, device: torch.device, dtype: torch.dtype) -> tuple[int, ...]:
    """A case's own, on CUDA with as many samples as fill the device."""
    n, *rest = case.shape
    if device.type != "cuda" or case.is_small:
        return case.shape
    wanted = min(_CUDA_BYTES, torch.cuda.get_device_properties(device).total_memory // 64)
    wanted //= 4 if case.macs else 1
    return (max(n, round(wanted / (math.prod(rest) * dtype.itemsize))), *rest)


def _time(case: Case, x: Tensor) -> Timing:
    constant = case.constant(x)
    if case.is_differentiated:
        x.requires_grad_()
    with torch.no_grad():
        y = case.run(x, constant)
    num_bytes = (x.nbytes + y.nbytes) * (2 if case.is_differentiated else 1)
    num_bytes += y.nbytes if case.keeps_output else 0
    # A copy reads and writes; half the bytes each.
    source = torch.zeros(num_bytes // 2, dtype=torch.uint8, device=x.device)
    target = torch.zeros_like(source)

    def run() -> None:
        if not case.is_differentiated:
            with torch.no_grad():
                case.run(x, constant)
            return
        torch.autograd.grad(case.run(x, constant), x, y)

    def run_plain() -> None:
        with native.paused():
            run()

    native_s, plain_s, bound_s = _least([run, run_plain, lambda: target.copy_(source)], x.device)
    if case.macs:
        macs = case.macs * y.numel() * (2 if case.is_differentiated else 1)
        bound_s = max(bound_s, macs / _macs_per_s(x.device, x.dtype))
    return Timing(
        name=case.name,
        shape=tuple(x.shape),
        dtype=str(x.dtype).removeprefix("torch."),
        plain_ms=plain_s * 1e3,
        native_ms=native_s * 1e3,
        gigabytes_per_s=num_bytes / native_s / 1e9,
        roofline=bound_s / native_s,
    )


@cache
def _macs_per_s(device: torch.device, dtype: torch.dtype) -> float:
    """Of a large product of matrices."""
    side = _MATRIX_SIDES[device.type]
    a = torch.ones([side, side], device=device, dtype=dtype)
    (taken,) = _least([lambda: a @ a], device)
    return side**3 / taken


def _least(runs: list[Callable[[], object]], device: torch.device) -> list[float]:
    """The least time of each, taking turns for a while."""
    is_cuda = device.type == "cuda"
    few_s, least = (_CUDA_FEW_S, 2) if is_cuda else (_FEW_S, 3)
    timers = [_queued(run, device) if is_cuda else _warm(run) for run in runs]
    times: list[list[float]] = [[] for _ in runs]
    began = time.perf_counter()
    for _ in range(_MOST_ROUNDS):
        for timer, taken in zip(timers, times, strict=True):
            taken.append(timer())
        if time.perf_counter() - began > few_s and len(times[0]) >= least:
            break
    return [min(taken) for taken in times]


def _warm(run: Callable[[], object]) -> Callable[[], float]:
    """A timer of what has run once before."""
    run()
    return partial(_seconds, run)


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _queued(run: Callable[[], object], device: torch.device) -> Callable[[], float]:
    """A timer by the device's clock, of as many runs in a row as take a while."""
    run()
    once = _device_seconds(run, device, 1)
    count = min(max(math.ceil(_CUDA_QUEUED_S / once), 1), _CUDA_QUEUED)
    return partial(_device_seconds, run, device, count)


def _device_seconds(run: Callable[[], object], device: torch.device, count: int) -> float:
    """What each of `count` runs took; the host queues them while the device is at one before, that is not timed."""
    with torch.cuda.device(device):
        began, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        run()
        began.record()
        for _ in range(count):
            run()
        ended.record()
        ended.synchronize()
    return began.elapsed_time(ended) / 1e3 / count
