"""Times the native operations against the plain ones, and against copying the same bytes.

`bend ops bench` and `benchmarks/ops.py` print what `measure` yields. Native and plain runs take turns, and the least
time of each counts, since other work on the machine can only add to it. The roofline is the time of copying the bytes
that the operation must read and write, or of doing its multiply-adds in a large matrix product if that takes longer;
the table gives its ratio to the native time. The ratio exceeds 100 % where Winograd's algorithm needs fewer products,
or a matrix unit is faster. On CUDA, batches fill the device and several runs are queued, timed by the device's own
clock without the host's part.
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
    """The times of a case."""

    name: str
    """The name of the case."""
    shape: tuple[int, ...]
    """The shape of its input."""
    dtype: str
    """The dtype of its input."""
    plain_ms: float
    """The least time of the plain operation."""
    native_ms: float
    """The least time of the native one."""
    gigabytes_per_s: float
    """Bytes that must be read and written, over the native time."""
    roofline: float
    """Time of copying as many bytes, or of as many multiply-adds, over the native time."""

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
    keep_freed_memory()  # as rendering and training do; otherwise page faults would take most of the time
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
    """The shape of a case's input; on CUDA with enough samples to fill the device."""
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
    # A copy reads one half of the bytes and writes the other.
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
    """Multiply-adds a second in a large matrix product."""
    side = _MATRIX_SIDES[device.type]
    a = torch.ones([side, side], device=device, dtype=dtype)
    (taken,) = _least([lambda: a @ a], device)
    return side**3 / taken


def _least(runs: list[Callable[[], object]], device: torch.device) -> list[float]:
    """The least time of each run; they take turns for a while."""
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
    """A timer of `run`, which has run once before."""
    run()
    return partial(_seconds, run)


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _queued(run: Callable[[], object], device: torch.device) -> Callable[[], float]:
    """A timer by the device's clock, which averages enough runs in a row to be precise."""
    run()
    once = _device_seconds(run, device, 1)
    count = min(max(math.ceil(_CUDA_QUEUED_S / once), 1), _CUDA_QUEUED)
    return partial(_device_seconds, run, device, count)


def _device_seconds(run: Callable[[], object], device: torch.device, count: int) -> float:
    """Seconds for each of `count` runs, queued by the host while the device does another run, which is not timed."""
    with torch.cuda.device(device):
        began, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        run()
        began.record()
        for _ in range(count):
            run()
        ended.record()
        ended.synchronize()
    return began.elapsed_time(ended) / 1e3 / count
