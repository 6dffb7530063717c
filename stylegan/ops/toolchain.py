"""What a native build is made with: compilers, their flags, and the key that tells one build from another.

Finding out must cost next to nothing, because every start looks for a cached build: no program is run, a compiler is
identified by its path, size and date, a processor by what the kernel reports about it.
"""

import hashlib
import os
import platform
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stylegan.errors import BuildError

__all__ = [
    "SOURCES",
    "TARGETS",
    "Target",
    "Toolchain",
    "find_compiler",
    "find_ninja",
    "find_nvcc",
    "present_targets",
    "toolchain",
]

Target = Literal["cpu", "cuda"]

TARGETS: dict[str, Target] = {"cpu": "cpu", "cuda": "cuda"}
"""The native operations that there are, by type of device."""

SOURCES = Path(__file__).parent / "csrc"

# The sources keep to the stable ABI of torch 2.10, so that a build serves every later release.
_STABLE_ABI = "-DTORCH_TARGET_VERSION=0x020a000000000000"
_CXX_FLAGS = [
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-math-errno",
    "-Wall",
    "-Wno-unknown-pragmas",
]
_NVCC_FLAGS = ["-std=c++17", "-O3", "-DUSE_CUDA", "--expt-relaxed-constexpr"]
# A static libstdc++, which is all that some machines have to link, must not share half of its state with torch's.
_SHARED = ["-shared", "-Wl,--exclude-libs,ALL"]
_SHARED_ON_MACOS = ["-shared", "-undefined", "dynamic_lookup"]
_CXX_NAMES = ("c++", "g++", "clang++")
_CUDA_RUNTIME = "libcudart_static.a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """Everything that a build of one target depends on."""

    target: Target
    """Whose kernels: `cpu` builds the `.cpp` sources, `cuda` the `.cu` ones."""
    sources: tuple[Path, ...]
    """Files to compile."""
    compiler: tuple[str, ...]
    """The C++ compiler and its own arguments (`CXX` may hold some); for CUDA it links, and compiles the host side."""
    nvcc: str | None
    """CUDA's compiler, None for `cpu`."""
    flags: tuple[str, ...]
    """For compiling."""
    link_flags: tuple[str, ...]
    """For linking."""
    key: str
    """Digest of all the above, of every source's and header's content, of torch's version and of the machine."""


def toolchain(target: Target, *, architectures: tuple[str, ...] | None = None) -> Toolchain:
    """What builds `target` on this machine.

    Args:
        target: `cpu` or `cuda`.
        architectures: of CUDA devices, such as `("sm_80", "sm_90")`; those that this machine holds if None.

    Raises:
        BuildError: there is no compiler, or none that fits torch.
    """
    if os.name != "posix":
        raise BuildError("native operations are built on Linux and macOS only; the plain ones serve here")
    import torch

    compiler = find_compiler()
    root = Path(torch.__file__).parent
    include = [f"-I{root / 'include'}", f"-I{SOURCES}", _STABLE_ABI]
    link = [f"-L{root / 'lib'}", "-ltorch_cpu", "-lc10"]
    nvcc = None
    sources = sorted(SOURCES.glob("*.cpp" if target == "cpu" else "*.cu"))
    if target == "cpu":
        flags = [*_CXX_FLAGS, "-march=native", *include]
    else:
        nvcc = find_nvcc()
        if nvcc is None:
            raise BuildError("nvcc was not found; install the CUDA toolkit, or set CUDA_HOME")
        flags = [*_nvcc_flags(compiler, architectures or _own_architectures()), *include]
        # The runtime is linked statically, so that torch's own may be of another minor version.
        runtime = [f"-L{folder}" for folder in _library_folders(Path(nvcc))]
        link = [*link, "-ltorch_cuda", *runtime, "-lcudart_static", "-ldl", "-lrt", "-lpthread"]
    if not sources:
        raise BuildError(f"{SOURCES}: no sources for {target}; install bend anew")
    shared = _SHARED_ON_MACOS if sys.platform == "darwin" else _SHARED
    tools = [shlex.join(compiler), nvcc or "", *flags, *shared, *link, torch.__version__, _machine(target)]
    return Toolchain(
        target=target,
        sources=tuple(sources),
        compiler=tuple(compiler),
        nvcc=nvcc,
        flags=tuple(flags),
        link_flags=(*shared, *link),
        key=_digest([*tools, *(_identity(Path(tool)) for tool in (compiler[0], nvcc) if tool)]),
    )


def present_targets() -> tuple[Target, ...]:
    """What this machine can run: always the CPU, and CUDA where torch sees a device."""
    import torch

    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def find_compiler() -> list[str]:
    """The C++ compiler, with the arguments that `CXX` may hold after its name.

    Raises:
        BuildError: there is none.
    """
    told = os.environ.get("CXX", "")
    try:
        asked = shlex.split(told)
    except ValueError as error:
        raise BuildError(f"CXX cannot be read ({error}): {told!r}; mend or unset CXX") from error
    if asked:
        found = shutil.which(asked[0])
        if found is None:
            raise BuildError(f"the compiler {asked[0]!r} that CXX names was not found; mend or unset CXX")
        return [_absolute(found), *asked[1:]]
    for name in _CXX_NAMES:
        if found := shutil.which(name):
            return [_absolute(found)]
    raise BuildError("no C++ compiler was found; install g++ or clang, or name one in CXX")


def find_nvcc() -> str | None:
    """CUDA's compiler: from `CUDA_HOME`, on the path, or in the usual place; None without one."""
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    places = [Path(home) / "bin" / "nvcc"] if home else [Path("/usr/local/cuda/bin/nvcc")]
    if found := next((place for place in places if os.access(place, os.X_OK)), None):
        return _absolute(found)
    elsewhere = shutil.which("nvcc")
    return None if elsewhere is None else _absolute(elsewhere)


def find_ninja() -> str | None:
    """The ninja of the installed package `ninja`, else the one on the path; None without one."""
    beside = Path(sys.executable).parent / "ninja"
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("ninja")


def _absolute(tool: str | Path) -> str:
    """A tool's absolute path, as it runs in another folder; links are kept, as `ccache` goes by the link's name."""
    return str(Path(tool).absolute())


def _nvcc_flags(compiler: list[str], architectures: tuple[str, ...]) -> list[str]:
    codes = [f"-gencode=arch=compute_{sm[3:]},code={sm}" for sm in architectures]
    host = [f"-Xcompiler={flag}" for flag in ("-fPIC", "-fvisibility=hidden", *compiler[1:])]
    return [*_NVCC_FLAGS, *codes, f"-ccbin={compiler[0]}", *host]


def _own_architectures() -> tuple[str, ...]:
    import torch

    if not torch.cuda.is_available() or torch.version.cuda is None:
        raise BuildError("torch sees no CUDA device; install a CUDA build of torch, and NVIDIA's driver")
    found = {torch.cuda.get_device_capability(i) for i in range(torch.cuda.device_count())}
    return tuple(f"sm_{major}{minor}" for major, minor in sorted(found))


def _library_folders(nvcc: Path) -> list[Path]:
    """Where a toolkit keeps its runtime: NVIDIA's installer in `lib64`, pip's packages in `lib`, conda's by target."""
    root = nvcc.resolve().parents[1]
    folders = (root / "lib64", root / "lib", *sorted(root.glob("targets/*/lib")))
    return [folder for folder in folders if (folder / _CUDA_RUNTIME).is_file()]


def _machine(target: Target) -> str:
    """What `-march=native` means here. The home folder, and the cache in it, may be shared between machines."""
    if target == "cuda":
        return platform.machine()
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            first = file.read(16384).split("\n\n")[0].splitlines()
    except OSError:
        return " ".join(platform.uname()[i] for i in (0, 4, 5))
    told = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU part")
    return "\n".join([platform.machine(), *(line for line in first if line.split("\t")[0].strip() in told)])


def _identity(tool: Path) -> str:
    real = tool.resolve()
    status = real.stat()
    return f"{real} {status.st_size} {status.st_mtime_ns}"


def _digest(parts: list[str]) -> str:
    digest = hashlib.sha256(os.fsencode("\0".join(parts)))  # paths need not be valid text
    for path in sorted(SOURCES.iterdir()):
        if path.suffix in (".h", ".cuh", ".cpp", ".cu"):
            digest.update(os.fsencode(f"\0{path.name}\0") + path.read_bytes())
    return digest.hexdigest()[:20]
