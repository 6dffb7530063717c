"""What this machine can do for bend, what is missing, and the one line that mends it.

`examine` yields findings in the order in which they are printed. It changes nothing: it neither compiles, downloads
nor sends anything, and of keys it tells only the names. What it cannot find out is a finding too, never an error.
"""

import contextlib
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bend.prepare.parallel import num_cores
from stylegan.cache import cache_folder
from stylegan.errors import StyleganError

if TYPE_CHECKING:
    from stylegan.ops.toolchain import Target

__all__ = ["MODULES_OF_EXTRAS", "Finding", "Verdict", "examine", "lines"]

Verdict = Literal["good", "note", "lack"]

_MARKS: dict[Verdict, str] = {"good": " ", "note": "·", "lack": "!"}
_LEAST_FREE_BYTES = 2 << 30
MODULES_OF_EXTRAS = {
    "tensorboard": ("tensorboard",),
    "metrics": ("lpips",),
    "studio": ("starlette", "uvicorn", "h11", "websockets"),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "ray": ("ray",),
    "remote": ("fsspec", "s3fs"),
}
"""The modules that each extra installs."""
# By torch's names: vector instructions, and those that speed up float32 and half precision.
_CPU_FEATURES = (
    "avx2",
    "avx512_f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_int8",
    "amx_bf16",
    "amx_fp16",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact about the machine."""

    name: str
    """What it is about."""
    value: str
    """What was found."""
    verdict: Verdict = "good"
    """`lack` prevents something, `note` is worth knowing."""
    mend: str | None = None
    """What to do about it, in one line."""


def examine() -> Iterator[Finding]:
    """Look at everything, cheapest first."""
    yield Finding(name="python", value=f"{platform.python_version()} at {sys.executable}")
    try:
        importlib.import_module("torch")
    except (ImportError, OSError) as error:  # it is not there, or a library that it needs
        why = " ".join(str(error).split())
        mend = "run make install, or pip install -c constraints.txt -e ."
        yield Finding(name="torch", value=f"cannot be imported ({why})", verdict="lack", mend=mend)
    else:
        yield from _torch()
        yield from _native()
    yield from _video()
    yield from _extras()
    yield from _folders()
    yield from _keys()


def lines(findings: Iterator[Finding]) -> Iterator[str]:
    """The findings as text, each with its mend below."""
    for finding in findings:
        yield f"{_MARKS[finding.verdict]} {finding.name:<20} {finding.value}"
        if finding.mend is not None:
            yield f"  {'':<20} -> {finding.mend}"


def _torch() -> Iterator[Finding]:
    import torch

    yield Finding(name="torch", value=f"{torch.__version__}, CUDA {torch.version.cuda or 'none'}")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(index)
            memory = f"{about.total_memory / 2**30:.0f} GiB"
            yield Finding(
                name=f"cuda:{index}", value=f"{about.name}, sm_{about.major}{about.minor}, {memory}"
            )
    elif torch.backends.mps.is_available():
        yield Finding(name="mps", value="Apple GPU")
    elif shutil.which("nvidia-smi"):
        yield Finding(
            name="GPU",
            value="NVIDIA's driver is here, but torch sees no device",
            verdict="lack",
            mend="install a CUDA build of torch: make install TORCH=cu130 TORCH_INDEX=…",
        )
    else:
        yield Finding(name="GPU", value="none; the CPU computes", verdict="note")
    yield from _cpu()
    yield _precision()


def _cpu() -> Iterator[Finding]:
    import torch

    has = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    features = [name for name in _CPU_FEATURES if has.get(name)]
    told = ", ".join(features) or torch.backends.cpu.get_cpu_capability().lower()
    yield Finding(name="cpu", value=f"{platform.machine()}, {told}")
    threads, cores = torch.get_num_threads(), num_cores()
    is_bound = "OMP_NUM_THREADS" in os.environ and threads < cores
    yield Finding(
        name="threads",
        value=f"{threads} of {cores} cores",
        verdict="note" if is_bound else "good",
        mend="unset OMP_NUM_THREADS to use them all" if is_bound else None,
    )


class _UnmeasuredError(Exception):
    """Which precision is faster has not been measured yet."""


def _precision() -> Finding:
    from stylegan.device import choose_device
    from stylegan.inference.choice import choose_precision
    from stylegan.ops import native

    def not_now() -> float:
        raise _UnmeasuredError

    device = choose_device("auto")
    try:
        is_asked_to_compile = os.environ.get("BEND_NATIVE") == "1" and not native.look("cpu").is_loaded
        with native.paused() if is_asked_to_compile else contextlib.nullcontext():
            chosen = choose_precision(device.type, measure=not_now)
    except _UnmeasuredError:
        told = "float32 or float16: the first picture measures which is faster"
    except StyleganError as error:
        return Finding(name="precision", value=str(error), verdict="lack", mend="unset BEND_NATIVE")
    else:
        told = {"fp32": "float32", "fp16": "float16"}.get(chosen or "", "as the network was published")
    return Finding(name="precision", value=f"{told}, on {device.type}")


def _native() -> Iterator[Finding]:
    from stylegan.ops.toolchain import find_compiler, find_ninja, find_nvcc, present_targets

    try:
        yield Finding(name="C++ compiler", value=" ".join(find_compiler()))
    except StyleganError as error:
        what, _, mend = str(error).partition("; ")
        yield Finding(name="C++ compiler", value=what, verdict="note", mend=mend or None)
    yield _tool("ninja", find_ninja(), absent="not found", mend="pip install ninja")
    targets = present_targets()
    if "cuda" in targets:
        absent = "not found; CUDA operations run as torch's own"
        yield _tool("nvcc", find_nvcc(), absent=absent, mend="install the CUDA toolkit, or set CUDA_HOME")
    yield from map(_native_target, targets)


def _tool(name: str, path: str | None, *, absent: str, mend: str) -> Finding:
    if path is None:
        return Finding(name=name, value=absent, verdict="note", mend=mend)
    return Finding(name=name, value=path)


def _native_target(target: "Target") -> Finding:
    from stylegan.ops import native

    name = f"native ops, {target}"
    try:
        state = native.look(target)
    except StyleganError as error:
        return Finding(name=name, value=str(error), verdict="lack", mend="unset BEND_NATIVE")
    if state.is_loaded:
        return Finding(name=name, value=f"in use, {state.path}")
    what, _, mend = state.why.partition("; ")
    return Finding(name=name, value=f"not in use: {what}", verdict="note", mend=mend or None)


def _video() -> Iterator[Finding]:
    try:
        import av
    except ImportError as error:
        yield Finding(
            name="PyAV", value=f"cannot be imported ({error})", verdict="lack", mend="pip install av"
        )
        return
    known = [name for name in ("libx264", "h264_nvenc", "apng", "aac") if name in av.codecs_available]
    value = f"{av.__version__}, encodes {', '.join(known)}"
    if "libx264" in known:
        yield Finding(name="PyAV", value=value)
    else:
        mend = "pip install --force-reinstall --only-binary :all: av, for H.264"
        yield Finding(name="PyAV", value=value, verdict="lack", mend=mend)


def _extras() -> Iterator[Finding]:
    for extra, modules in MODULES_OF_EXTRAS.items():
        absent = [name for name in modules if importlib.util.find_spec(name) is None]
        if absent:
            mend = f"pip install 'bend-gan[{extra}]'"
            yield Finding(
                name=f"extra {extra}", value=f"without {', '.join(absent)}", verdict="note", mend=mend
            )
        else:
            yield Finding(name=f"extra {extra}", value=", ".join(_with_version(name) for name in modules))


def _with_version(module: str) -> str:
    """The module's name with its version; alone where it was not installed, such as a folder that is called so."""
    try:
        return f"{module} {importlib.metadata.version(module)}"
    except importlib.metadata.PackageNotFoundError:
        return module


def _folders() -> Iterator[Finding]:
    for name, folder in (("cache", cache_folder()), ("working folder", Path.cwd())):
        place = next((part for part in (folder, *folder.parents) if os.access(part, os.F_OK)), Path("/"))
        free = shutil.disk_usage(place).free
        value = f"{folder}, {free / 2**30:.1f} GiB free"
        if not os.access(place, os.W_OK | os.X_OK):
            mend = "set BEND_CACHE to a folder that can be written" if name == "cache" else "work elsewhere"
            yield Finding(name=name, value=f"{value}, cannot be written", verdict="lack", mend=mend)
        elif free < _LEAST_FREE_BYTES:
            yield Finding(name=name, value=value, verdict="lack", mend="free some space before training")
        else:
            yield Finding(name=name, value=value)


def _keys() -> Iterator[Finding]:
    """Which keys of the sources are set; never their values."""
    from scrapers.errors import ScraperError
    from scrapers.keys import config_path, with_config
    from scrapers.sources import SOURCES, info_of

    warnings: list[str] = []
    try:
        environ = with_config(os.environ, warnings.append)
    except ScraperError as error:
        yield Finding(name="keys", value=str(error), verdict="lack", mend=f"mend {config_path(os.environ)}")
        return
    for what, _, fix in (warning.partition("; ") for warning in warnings):
        yield Finding(name="keys", value=what, verdict="lack", mend=fix)
    for source in SOURCES:
        info = info_of(source)
        wanted = (*info.keys, *info.optional_keys)
        if not wanted:
            continue
        absent = [key for key in wanted if not environ.get(key, "").strip()]
        is_lacking = any(key in info.keys for key in absent)
        value = f"{', '.join(absent)} not set" if absent else "set"
        if absent and not is_lacking:
            value += ", works without"
        mend = f"get a key at {info.key_page}" if is_lacking and info.key_page else None
        yield Finding(
            name=f"source {source}", value=value, verdict="note" if is_lacking else "good", mend=mend
        )
