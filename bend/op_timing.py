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
from typing import Any

import torch
from torch import Tensor

from stylegan.allocator import keep_freed_memory
from stylegan.inference import kernels, rgb_layer, synthesis_layer
from stylegan.layers import DenseLayer
from stylegan.ops import bias_act, modulated_conv2d, native, setup_filter, upfirdn2d
from stylegan.ops.convolution import conv2d

__all__ = ["CASES", "Case", "Timing", "measure", "table"]

_FEW_S = 0.4
_MOST_ROUNDS = 50
_SYM6_TAPS = 12
_MATRIX_SIDES = {"cpu": 1024, "cuda": 8192}
_CUDA_FEW_S = 0.15
_CUDA_QUEUED_S = 2e-3  # of work between two readings of the device's clock
_CUDA_QUEUED = 10  # runs there, at most
_CUDA_BYTES = 2**29  # of an input, so that no cache holds it; a quarter where multiply-adds count


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An operation at a size that the network meets."""

    name: str
    """What it is."""
    shape: tuple[int, int, int, int]
    """Of the input, `[N, C, H, W]`."""
    run: Callable[[Tensor, Any], Tensor]
    """The operation on the input and whatever `constant` made for it."""
    constant: Callable[[Tensor], Any]
    """The filter, the bias, or all other operands, for an input."""
    is_differentiated: bool = False
    """Forward and backward, as training does."""
    is_planar: bool = False
    """In the order of the dimensions rather than channels last."""
    keeps_output: bool = False
    """The backward pass reads the output again."""
    is_small: bool = False
    """Stays as small as it is on CUDA: what counts is how soon it is done."""
    macs: int = 0
    """Multiply-adds of an element of the output, where they count."""


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


def _bias(x: Tensor) -> Tensor:
    return torch.linspace(-1, 1, x.shape[1], device=x.device).to(x.dtype)


def _four_taps(x: Tensor) -> Tensor:
    return setup_filter([1, 3, 3, 1], device=x.device)


def _twelve_taps(x: Tensor) -> Tensor:
    return setup_filter(torch.hann_window(_SYM6_TAPS + 2)[1:-1], device=x.device)


def _lrelu(x: Tensor, b: Tensor) -> Tensor:
    return bias_act(x, b, act="lrelu", clamp=256)


def _blur(x: Tensor, f: Tensor) -> Tensor:
    return upfirdn2d(x, f, padding=1, gain=4)


def _up(x: Tensor, f: Tensor) -> Tensor:
    return upfirdn2d(x, f, up=2, padding=[2, 1, 2, 1], gain=4)


def _down(x: Tensor, f: Tensor) -> Tensor:
    return upfirdn2d(x, f, down=2, padding=1)


def _wavelet_up(x: Tensor, f: Tensor) -> Tensor:
    return upfirdn2d(x, f, up=2, padding=[6, 5, 6, 5], gain=4)


def _wavelet_down(x: Tensor, f: Tensor) -> Tensor:
    return upfirdn2d(x, f, down=2, padding=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """What a layer's end takes besides the convolution's result; on its device, in float32."""

    demodulation: Tensor
    noise: Tensor
    bias: Tensor
    f: Tensor | None
    """The filter, None for no upsampling."""
    taps: Tensor | None
    """The same as the kernel takes it."""


def _ending(x: Tensor, crop: int = 0) -> _Ending:
    n, channels, height, width = x.shape
    bias = torch.linspace(-1, 1, channels, device=x.device)
    f = setup_filter([1, 3, 3, 1], device=x.device) if crop else None
    return _Ending(
        demodulation=bias.abs().expand(n, -1).contiguous() + 0.5,
        noise=torch.randn([1, 1, height - crop, width - crop], device=x.device),
        bias=bias,
        f=f,
        taps=None if f is None else 2 * torch.stack([f.sum(1), f.sum(0)]),
    )


def _upsampled_ending(x: Tensor) -> _Ending:
    return _ending(x, crop=1)


def _finish(x: Tensor, given: _Ending) -> Tensor:
    if kernels.serves(x):
        return kernels.finish_layer(
            x, given.demodulation, given.noise, given.bias, given.taps, 0.2, 2**0.5, 256.0
        )
    y = x if given.f is None else upfirdn2d(x, given.f, padding=1, gain=4)
    y = y * given.demodulation.to(x.dtype)[:, :, None, None] + given.noise.to(x.dtype)
    return bias_act(y, given.bias, act="lrelu", clamp=256)


def _colours(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    weight = torch.linspace(-1, 1, 3 * x.shape[1], device=x.device).reshape(3, -1, 1, 1)
    return weight, torch.ones(x.shape[:2], device=x.device), torch.zeros([3], device=x.device)


def _to_rgb(x: Tensor, given: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    weight, styles, bias = given
    y = rgb_layer(x, weight, styles, bias, clamp=256)
    return (
        bias_act(modulated_conv2d(x, weight, styles, demodulate=False), bias, clamp=256) if y is None else y
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """What a whole synthesis layer takes besides its input."""

    weight: Tensor
    styles: Tensor
    noise: Tensor
    bias: Tensor
    f: Tensor
    up: int


def _layer(x: Tensor, up: int = 1) -> _Layer:
    _, channels, height, width = x.shape
    outputs = channels // up
    return _Layer(
        weight=torch.randn([outputs, channels, 3, 3], device=x.device),
        styles=torch.rand(x.shape[:2], device=x.device) + 0.5,
        noise=torch.randn([height * up, width * up], device=x.device),
        bias=torch.linspace(-1, 1, outputs, device=x.device),
        f=setup_filter([1, 3, 3, 1], device=x.device),
        up=up,
    )


def _synthesize(x: Tensor, given: _Layer) -> Tensor:
    y = synthesis_layer(
        x,
        given.weight,
        given.styles,
        given.noise,
        given.bias,
        up=given.up,
        resample_filter=given.f,
        activation="lrelu",
        gain=2**0.5,
        clamp=256,
    )
    if y is not None:
        return y
    y = modulated_conv2d(
        x,
        given.weight,
        given.styles,
        noise=given.noise,
        up=given.up,
        padding=1,
        resample_filter=given.f,
        flip_weight=given.up == 1,
    )
    return bias_act(y, given.bias, act="lrelu", clamp=256)


def _kernel(x: Tensor) -> Tensor:
    return torch.randn([x.shape[1], x.shape[1], 3, 3], device=x.device).to(x.dtype)


def _convolve(x: Tensor, w: Tensor) -> Tensor:
    return conv2d(x, w, padding=1)


def _affine(x: Tensor) -> DenseLayer:
    return DenseLayer(x.shape[1], x.shape[1], bias_init=1).to(x.device).requires_grad_(False)


def _styles(x: Tensor, layer: DenseLayer) -> Tensor:
    styles: Tensor = layer(x.mean([2, 3]))
    return styles


def _layer_case(channels: int, size: int, up: int = 1) -> Case:
    return Case(
        name="layer" if up == 1 else f"layer, up {up}",
        shape=(1, channels, size, size),
        run=_synthesize,
        constant=partial(_layer, up=up),
        macs=9 * channels // up**2,  # an upsampling kernel meets each of the lower resolution's samples once
    )


CASES = (
    Case(name="bias_act", shape=(8, 256, 64, 64), run=_lrelu, constant=_bias),
    Case(name="bias_act", shape=(1, 64, 256, 256), run=_lrelu, constant=_bias),
    Case(
        name="bias_act, trained",
        shape=(8, 256, 64, 64),
        run=_lrelu,
        constant=_bias,
        is_differentiated=True,
        keeps_output=True,
    ),
    Case(name="FIR 4x4", shape=(8, 256, 65, 65), run=_blur, constant=_four_taps),
    Case(name="FIR 4x4", shape=(1, 64, 257, 257), run=_blur, constant=_four_taps),
    Case(
        name="FIR 4x4, trained",
        shape=(8, 256, 65, 65),
        run=_blur,
        constant=_four_taps,
        is_differentiated=True,
    ),
    Case(name="FIR 4x4, up 2", shape=(8, 128, 32, 32), run=_up, constant=_four_taps),
    Case(name="FIR 4x4, down 2", shape=(8, 128, 64, 64), run=_down, constant=_four_taps),
    Case(name="FIR 4x4, up 2, RGB", shape=(1, 3, 512, 512), run=_up, constant=_four_taps),
    Case(name="up 2, planar RGB", shape=(1, 3, 512, 512), run=_up, constant=_four_taps, is_planar=True),
    Case(name="FIR 12, up 2", shape=(8, 3, 128, 128), run=_wavelet_up, constant=_twelve_taps, is_planar=True),
    Case(
        name="FIR 12, down 2",
        shape=(8, 3, 256, 256),
        run=_wavelet_down,
        constant=_twelve_taps,
        is_planar=True,
    ),
    Case(name="layer's end", shape=(8, 256, 64, 64), run=_finish, constant=_ending),
    Case(name="layer's end", shape=(1, 64, 256, 256), run=_finish, constant=_ending),
    Case(name="layer's end, up 2", shape=(8, 256, 65, 65), run=_finish, constant=_upsampled_ending),
    Case(name="layer's end, up 2", shape=(1, 64, 257, 257), run=_finish, constant=_upsampled_ending),
    Case(name="to RGB", shape=(8, 256, 64, 64), run=_to_rgb, constant=_colours),
    Case(name="to RGB", shape=(1, 64, 256, 256), run=_to_rgb, constant=_colours),
    Case(name="styles", shape=(1, 512, 1, 1), run=_styles, constant=_affine, is_small=True),
    _layer_case(512, 32),
    _layer_case(256, 64),
    _layer_case(64, 256),
    _layer_case(256, 64, up=2),
    _layer_case(128, 128, up=2),
    Case(
        name="3x3, trained",
        shape=(4, 256, 64, 64),
        run=_convolve,
        constant=_kernel,
        is_differentiated=True,
        macs=9 * 256,
    ),
)
"""What is measured, in the order of printing."""


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
