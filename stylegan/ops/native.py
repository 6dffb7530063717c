"""Whether native operations can be used, and if not, why: finds, loads and, when told to, builds them once a process.

The policy, which `BEND_NATIVE` overrides: with `auto` (the default) a cached build is loaded at once, and one is
compiled only where the work is long (`prepare`, which training, films and heavy drawing call) or by `bend ops build`,
never in the middle of a command that has declared itself short (`settle`). `0` uses none. `1` compiles on first use
whatever the work, and a failure is an error. With `auto` a failure costs one line on stderr, and the plain operations
take over. Every fast path asks `available`.
"""

import contextlib
import functools
import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stylegan.errors import BuildError, ConfigError
from stylegan.ops.build import build, built
from stylegan.ops.toolchain import TARGETS, Target

__all__ = [
    "NativeState",
    "available",
    "forget",
    "has_wide_vectors",
    "is_traced",
    "look",
    "may_build",
    "paused",
    "prepare",
    "settle",
    "state",
    "tell",
    "use",
]

_NOT_BUILT = "not built yet; run `bend ops build`"

_log = logging.getLogger("stylegan.ops")  # unconfigured logging writes warnings to stderr, bare
_states: dict[Target, "NativeState"] = {}
_settled: set[Target] = set()
_deciding = threading.RLock()
_num_paused = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeState:
    """Whether one target's native operations can be called in this process, and why."""

    target: Target
    """`cpu` or `cuda`."""
    is_loaded: bool
    """Whether they can be called."""
    why: str
    """The reason, in a few words."""
    path: Path | None = None
    """The loaded library."""


def available(device_type: str = "cpu") -> bool:
    """Whether native kernels for tensors on a type of device can be called now; cheap enough to ask at every call.

    The first call loads a cached build. It compiles nothing, unless `BEND_NATIVE=1`.

    Args:
        device_type: `x.device.type`; whatever is neither `cpu` nor `cuda` has no native kernels.

    Raises:
        BuildError: `BEND_NATIVE=1`, and they cannot be built.
        ConfigError: `BEND_NATIVE` is something else.
    """
    if _num_paused or device_type not in TARGETS:
        return False
    found = _states.get(TARGETS[device_type])
    return (state(TARGETS[device_type]) if found is None else found).is_loaded


def prepare(device_type: str = "cpu", *, say: Callable[[str], None] | None = None) -> bool:
    """Get native kernels ready for long work ahead: load them, compiling them first if the cache holds none.

    There is at most one attempt per process. Training and films call it before they begin.

    Args:
        device_type: of the tensors to come.
        say: called with one line before a compilation starts, which takes about half a minute.

    Returns:
        Whether they can be called. With `BEND_NATIVE=auto` a failure is one line on stderr, no exception.

    Raises:
        BuildError: `BEND_NATIVE=1`, and they cannot be built.
        ConfigError: `BEND_NATIVE` is something else.
    """
    target = TARGETS.get(device_type)
    if target is None:
        return False
    with _deciding:
        found = state(target)
        if not found.is_loaded and found.why == _NOT_BUILT:
            if say is not None:
                say(f"compiling native operations for {target}, once (BEND_NATIVE=0 does without)")
            found = _states[target] = _load(target, may_build=True, must=False)
        return found.is_loaded


def may_build(device_type: str = "cpu") -> bool:
    """Whether `prepare` would compile something, unless `settle` was called; cheap enough to ask at every call.

    Raises:
        BuildError: `BEND_NATIVE=1`, and they cannot be built.
        ConfigError: `BEND_NATIVE` is something else.
    """
    target = TARGETS.get(device_type)
    if target is None or target in _settled or _num_paused:
        return False
    found = _states.get(target)
    return (state(target) if found is None else found).why == _NOT_BUILT


def settle(device_type: str = "cpu") -> None:
    """Compile nothing in this process, whose work is too short for that; what is built already is used."""
    if device_type in TARGETS:
        _settled.add(TARGETS[device_type])


@functools.cache
def has_wide_vectors() -> bool:
    """Whether the processor has AVX2 or AVX-512; whether our convolutions win on others has not been measured."""
    import torch

    return torch.backends.cpu.get_cpu_capability().startswith(("AVX2", "AVX512"))


def tell(line: str) -> None:
    """Print a line on stderr, or wherever this package's log goes."""
    _log.warning(line)


def state(target: Target) -> NativeState:
    """The state of a target's native operations; the first call loads a cached build.

    Raises:
        BuildError: `BEND_NATIVE=1`, and they cannot be built.
        ConfigError: `BEND_NATIVE` is something else.
    """
    with _deciding:
        if target not in _states:
            wanted = os.environ.get("BEND_NATIVE", "") or "auto"
            if wanted not in ("auto", "0", "1"):
                raise ConfigError(f"BEND_NATIVE is {wanted!r}; set it to auto, 0 or 1")
            if wanted == "0":
                _states[target] = NativeState(target=target, is_loaded=False, why="BEND_NATIVE is 0")
            else:
                _states[target] = _load(target, may_build=wanted == "1", must=wanted == "1")
        return _states[target]


def look(target: Target) -> NativeState:
    """`state` for callers that only want to know: it compiles nothing and never fails, even with `BEND_NATIVE=1`.

    Raises:
        ConfigError: `BEND_NATIVE` is something else.
    """
    with _deciding:
        if target in _states or os.environ.get("BEND_NATIVE") != "1":
            return state(target)
        found = _load(target, may_build=False, must=False)
        if found.is_loaded:
            _states[target] = found
        return found


def use(target: Target, path: Path) -> NativeState:
    """Load the library of a build and use it from now on, whatever `BEND_NATIVE` says.

    Raises:
        BuildError: it cannot be loaded.
    """
    with _deciding:
        _states[target] = _load_library(target, path, must=True)
        return _states[target]


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Use the plain operations in the `with`, to compare or to measure."""
    global _num_paused  # noqa: PLW0603 - one switch a process, asked at every call
    _num_paused += 1
    try:
        yield
    finally:
        _num_paused -= 1


def is_traced() -> bool:
    """Whether a call is traced or transformed by something that knows only torch's own operators.

    That is a compiler or an exporter, a function transform (`torch.func`), or forward-mode differentiation, which
    silently takes the result of an operator of ours for a constant.
    """
    import torch

    return bool(
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()
        or getattr(torch.autograd.forward_ad, "_current_level", -1) >= 0
        or getattr(torch._C, "_are_functorch_transforms_active", bool)()
    )


def forget() -> None:
    """Decide anew at the next call, after `BEND_NATIVE` or the cache has changed. Loaded libraries stay loaded."""
    with _deciding:
        _states.clear()
        _settled.clear()


def _load(target: Target, *, may_build: bool, must: bool) -> NativeState:
    import torch

    if target == "cuda" and not torch.cuda.is_available():
        return NativeState(target=target, is_loaded=False, why="torch sees no CUDA device")
    try:
        path = build(target) if may_build else built(target)
    except BuildError as error:
        return _refuse(target, str(error), is_quiet=not may_build, must=must)
    if path is None:
        return NativeState(target=target, is_loaded=False, why=_NOT_BUILT)
    return _load_library(target, path, must=must)


def _load_library(target: Target, path: Path, *, must: bool) -> NativeState:
    import torch

    try:
        torch.ops.load_library(path)
    except (OSError, RuntimeError) as error:
        reason = f"{path} cannot be loaded ({str(error).splitlines()[0]}); run `bend ops build --force`"
        return _refuse(target, reason, is_quiet=False, must=must)
    return NativeState(target=target, is_loaded=True, why="loaded", path=path)


def _refuse(target: Target, reason: str, *, is_quiet: bool, must: bool) -> NativeState:
    if must:
        raise BuildError(reason)
    if not is_quiet:
        _log.warning("no native operations for %s, the plain ones serve: %s", target, reason)
    return NativeState(target=target, is_loaded=False, why=reason)
