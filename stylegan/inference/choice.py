"""The precision that pictures are drawn in by default on this machine: chosen by capability, then by measurement.

float16 convolutions are worth it only where the processor multiplies float16 itself (AMX-FP16, AVX512-FP16); elsewhere
torch computes them by way of float32, which is slower than float32 alone. bfloat16 is never chosen: with its 8 bits of
mantissa, pictures are off by several of their 256 levels, where with float16's 11 they are off by one at most. Where
float16 could win, one synthesis layer is timed both ways, once, and the answer is kept in the cache beside the compiled
operations.
"""

import contextlib
import hashlib
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.atomic import write_atomic
from stylegan.cache import cache_folder
from stylegan.inference.layer import synthesis_layer
from stylegan.ops import native, setup_filter

__all__ = ["choose_precision"]

_HALF_FLAGS = frozenset({"amx_fp16", "avx512_fp16"})
_CHANNELS, _SIZE = 128, 64  # a layer of the middle resolutions, where the time goes
_REPEATS = 5
_WORTH = 0.9  # float16 must take less than this share of float32's time


def choose_precision(
    device_type: str, *, flags: frozenset[str] | None = None, measure: Callable[[], float] | None = None
) -> str | None:
    """The precision to draw in on a kind of device, for `stylegan.precision.set_precision`.

    Args:
        device_type: `cpu`; on accelerators a network keeps what it was published with.
        flags: what the processor can do, as Linux names it; asked of the system if None.
        measure: the time of a float16 layer as a share of a float32 one's; by default it is measured.

    Returns:
        `fp32` or `fp16`; None leaves the network as it is.
    """
    if device_type != "cpu":
        return None
    if not _HALF_FLAGS & (_cpu_flags() if flags is None else flags):
        return "fp32"
    path = cache_folder() / "precision" / f"{_key()}.json"
    share = _read(path)
    if share is None:
        share = (measure or _measure)()
        earlier = _read(path)  # another process may have measured meanwhile, and all should draw alike
        if earlier is None:
            _keep(path, share)
        else:
            share = earlier
    return "fp16" if share < _WORTH else "fp32"


def _cpu_flags() -> frozenset[str]:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            return next((frozenset(line.split()) for line in file if line.startswith("flags")), frozenset())
    except OSError:
        return frozenset()


def _key() -> str:
    """A digest of what the answer depends on: processor, torch, threads, and native operations, if there are any."""
    library = native.state("cpu").path if native.available("cpu") else None
    operations = "none" if library is None else library.parent.name  # named after sources and flags
    told = [platform.machine(), *sorted(_cpu_flags()), torch.__version__, str(torch.get_num_threads())]
    return hashlib.sha256(" ".join([*told, operations]).encode()).hexdigest()[:20]


def _read(path: Path) -> float | None:
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["half_share"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, share: float) -> None:
    with contextlib.suppress(OSError):  # without a cache that can be written, it is measured anew next time
        write_atomic(path, json.dumps({"half_share": share, "torch": torch.__version__}))


@torch.no_grad()
def _measure() -> float:
    """The ratio of the best times of both, taken in turns so that other work on the machine slows both alike."""
    layers = [_layer(dtype) for dtype in (torch.float32, torch.float16)]
    times: list[list[float]] = [[], []]
    for _ in range(1 + _REPEATS):  # the first round is a warm-up
        for layer, taken in zip(layers, times, strict=True):
            started = time.perf_counter()
            layer()
            taken.append(time.perf_counter() - started)
    full, half = (min(taken[1:]) for taken in times)
    return half / full


def _layer(dtype: torch.dtype) -> Callable[[], Tensor]:
    """One layer to be timed, native where that serves."""
    x = torch.ones([1, _CHANNELS, _SIZE, _SIZE], dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight, styles = torch.ones([_CHANNELS, _CHANNELS, 3, 3]), torch.ones([1, _CHANNELS])
    bias, resample_filter = torch.zeros([_CHANNELS]), setup_filter([1, 3, 3, 1])

    def layer() -> Tensor:
        y = synthesis_layer(
            x,
            weight,
            styles,
            None,
            bias,
            up=1,
            resample_filter=resample_filter,
            activation="lrelu",
            gain=1,
            clamp=None,
        )
        return F.conv2d(x, weight.to(dtype), padding=1) if y is None else y

    return layer
