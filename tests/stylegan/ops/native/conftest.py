"""CUDA's kernels as a CPU runs them: their bodies, which are headers that both compilers take, and their launches."""

import ctypes
import dataclasses
import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stylegan.errors import BuildError
from stylegan.ops.build import compile_into
from stylegan.ops.toolchain import toolchain
from tests.stylegan.ops.native.launching import translate


@pytest.fixture(scope="session")
def emulated(own_cache: Path, request: pytest.FixtureRequest) -> ctypes.CDLL:
    """emulated.cpp as a library; halves, which take most of the compiler's time, are in it if slow tests are run."""
    source = Path(__file__).with_name("emulated.cpp")
    is_slow = any(item.get_closest_marker("slow") for item in request.session.items)
    halves = ["-DBEND_HALVES"] * is_slow
    return ctypes.CDLL(str(compiled(own_cache / "emulated", lambda folder: (source,), *halves)))


@pytest.fixture(scope="session")
def launched(own_cache: Path) -> None:
    """The operators of CUDA's sources serve under the key `PrivateUse1`, on a CPU's tensors."""
    torch.ops.load_library(compiled(own_cache / "launched", translate, "-DUSE_CUDA", "-Wno-unused"))


def compiled(folder: Path, write: Callable[[Path], tuple[Path, ...]], *flags: str) -> Path:
    """A library of sources that `write` names, compiled once a run whichever process comes first."""
    try:
        chain = toolchain("cpu")
    except BuildError as error:
        pytest.skip(str(error))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            flags = (f"-I{folder}", *chain.flags, "-O1", *flags)
            compile_into(dataclasses.replace(chain, sources=write(folder), flags=flags), folder)
            (folder / "whole").touch()
    (library,) = folder.glob("*.so")
    return library
