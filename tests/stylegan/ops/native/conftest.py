"""CUDA kernels run on a CPU: their bodies, which are headers that both compilers take, and their launches."""

import ctypes
import dataclasses
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stylegan.errors import BuildError
from stylegan.lock import alone
from stylegan.ops.build import compile_into
from stylegan.ops.toolchain import toolchain
from tests.stylegan.ops.native.launching import translate

_SOURCES = tuple(
    Path(__file__).with_name(name) for name in ("conftest.py", "emulated.cpp", "fibers.h", "launching.py")
)
_NUM_KEPT = 4


@pytest.fixture(scope="session")
def emulated(compiled_code: Path, request: pytest.FixtureRequest) -> ctypes.CDLL:
    """emulated.cpp as a library; half precision, which takes longest to compile, is in it only for slow tests."""
    source = Path(__file__).with_name("emulated.cpp")
    is_slow = any(item.get_closest_marker("slow") for item in request.session.items)
    halves = ["-DBEND_HALVES"] * is_slow
    return ctypes.CDLL(str(compiled(compiled_code, "emulated", lambda folder: (source,), *halves)))


@pytest.fixture(scope="session")
def launched(compiled_code: Path) -> None:
    """Register the operators of the CUDA sources under the key `PrivateUse1`, for tensors on a CPU."""
    torch.ops.load_library(compiled(compiled_code, "launched", translate, "-DUSE_CUDA", "-Wno-unused"))


def compiled(kept: Path, name: str, write: Callable[[Path], tuple[Path, ...]], *flags: str) -> Path:
    """A library of the sources that `write` returns, compiled by the first process that comes after they changed."""
    try:
        chain = toolchain("cpu")
    except BuildError as error:
        pytest.skip(str(error))
    # The key covers the included headers.
    told = [chain.key, *flags, *(path.read_text() for path in _SOURCES)]
    folder = kept / f"{name}-{hashlib.sha256(repr(told).encode()).hexdigest()[:20]}"
    with alone(kept / f"{name}.lock"):
        if not (folder / "whole").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            flags = (f"-I{folder}", *chain.flags, "-O1", *flags)
            compile_into(dataclasses.replace(chain, sources=write(folder), flags=flags), folder)
            (folder / "whole").touch()
            for old in sorted(kept.glob(f"{name}-*"), key=lambda path: path.stat().st_mtime)[:-_NUM_KEPT]:
                shutil.rmtree(old)
    (library,) = folder.glob("*.so")
    return library
