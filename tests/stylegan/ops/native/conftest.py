"""CUDA's kernels as a CPU runs them: their bodies are headers that both compilers take."""

import ctypes
import dataclasses
import fcntl
from pathlib import Path

import pytest

from stylegan.errors import BuildError
from stylegan.ops.build import compile_into
from stylegan.ops.toolchain import toolchain


@pytest.fixture(scope="session")
def emulated(own_cache: Path, request: pytest.FixtureRequest) -> ctypes.CDLL:
    """emulated.cpp as a library, compiled once a run whichever process comes first.

    Halves, which take twice as long to compile as the rest, are in it where slow tests are run.
    """
    try:
        chain = toolchain("cpu")
    except BuildError as error:
        pytest.skip(str(error))
    source = Path(__file__).with_name("emulated.cpp")
    is_slow = any(item.get_closest_marker("slow") for item in request.session.items)
    flags = (*chain.flags, "-O1", *["-DBEND_HALVES"] * is_slow)
    chain = dataclasses.replace(chain, sources=(source,), flags=flags)
    folder = own_cache / "emulated"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = [*folder.glob("*.so")] if (folder / "whole").exists() else compile_into(chain, folder)
        (folder / "whole").touch()
    return ctypes.CDLL(str(made[0]))
