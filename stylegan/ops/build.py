"""Compile the native operations with ninja, into a cache that processes share.

A build is a folder `ops/TARGET-KEY/` of the cache that holds one library. The key (`stylegan.ops.toolchain`) covers
sources, flags, compiler, torch and processor, so that a change to any of them, and nothing else, causes a new build.
The folder is made under another name and renamed when it is complete, under a lock that the system releases when its
process dies: of two processes that want to build, one compiles and the other waits. `stylegan.ops.native` decides when
to build, and loads the result.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

from stylegan.cache import cache_folder
from stylegan.errors import BuildError
from stylegan.lock import alone
from stylegan.ops.toolchain import Target, Toolchain, find_ninja, toolchain

__all__ = ["build", "built", "compile_into", "library_path"]

_LIBRARY = "bend_ops.so"
_NUM_KEPT = 6
_TIMEOUT_S = 900
_GRACE_S = 5
# In a 64-bit file: where the table of its sections lies, the size of an entry, and the number of entries.
_ELF_HEADER = struct.Struct("=40xQ10xHH")


def library_path(chain: Toolchain) -> Path:
    """Where the library of a build lies, whether it is there or not."""
    return cache_folder() / "ops" / f"{chain.target}-{chain.key}" / _LIBRARY


def built(target: Target) -> Path | None:
    """The library of an earlier build that still fits, None if there is none.

    Raises:
        BuildError: there is no compiler, so that no build can fit.
    """
    path = library_path(toolchain(target))
    return path if _is_whole(path) else None


def build(target: Target, *, force: bool = False) -> Path:
    """Compile a target's sources unless the cache holds the result, and return the library.

    Args:
        target: `cpu` for the C++ sources, `cuda` for the CUDA ones.
        force: compile in any case, and replace what is there.

    Raises:
        BuildError: a missing or failing compiler, no ninja, or a cache that cannot be written. One line.
    """
    chain = toolchain(target)
    final = library_path(chain)
    if _is_whole(final) and not force:
        return final
    if chain.nvcc is not None:
        _check_cuda_version(chain.nvcc)
    try:
        final.parent.parent.mkdir(parents=True, exist_ok=True)
        with alone(final.parent.parent / f"{target}.lock"):
            if force or not _is_whole(final):  # else another process built it while this one waited
                _build_into(chain, final.parent)
    except OSError as error:
        raise BuildError(
            f"{error.filename or final.parent.parent}: the build's cache cannot be written ({error.strerror}); "
            "set BEND_CACHE to a folder that can"
        ) from error
    _prune(final.parent)
    return final


def compile_into(chain: Toolchain, folder: Path, *, is_linked: bool = True) -> list[Path]:
    """Compile a toolchain's sources in `folder`, which exists.

    Args:
        chain: what to compile and how.
        folder: receives the objects, and the library.
        is_linked: if False, only objects are made, which takes neither a device nor a torch built for it.

    Returns:
        The library, or the objects.

    Raises:
        BuildError: no ninja, or a failing compiler. One line.
    """
    goals = [_LIBRARY] if is_linked else [f"{source.name}.o" for source in chain.sources]
    _run_ninja(chain, folder, goals)
    return [folder / name for name in goals]


def _is_whole(path: Path) -> bool:
    """Whether a library can be read and is complete; loading one that a full disk cut short would kill the process."""
    try:
        with path.open("rb") as file:
            header = file.read(_ELF_HEADER.size)
            size = os.fstat(file.fileno()).st_size
    except OSError:  # also if the cache may not be read
        return False
    if not header.startswith(b"\x7fELF"):
        return size > 0  # macOS checks for itself
    if len(header) < _ELF_HEADER.size:
        return False
    start, each, count = _ELF_HEADER.unpack(header)  # linkers put this table last
    return size >= int(start) + int(each) * int(count)


def _build_into(chain: Toolchain, final: Path) -> None:
    # Only the holder of the lock builds, so these were left by a build that was killed.
    for leftover in final.parent.glob(f".{chain.target}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
    try:
        compile_into(chain, work)
        if not _is_whole(work / _LIBRARY):
            raise BuildError(
                f"{_name(chain)} made no whole library, and did not say why; name another in CXX"
            )
        with (work / _LIBRARY).open("rb") as file:
            os.fsync(file.fileno())
        for leftover in work.iterdir():
            if leftover.name != _LIBRARY:
                leftover.unlink()
        work.chmod(0o755)
        if final.exists():  # forced, or a folder whose library was deleted
            shutil.rmtree(final)
        work.rename(final)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _run_ninja(chain: Toolchain, folder: Path, goals: list[str]) -> None:
    ninja = find_ninja()
    if ninja is None:
        raise BuildError("ninja was not found; run `pip install ninja`")
    (folder / "build.ninja").write_bytes(os.fsencode(_ninja_file(chain)))
    try:
        status, output = _run([ninja, "-C", str(folder), *goals])
    except subprocess.TimeoutExpired as error:
        raise BuildError(
            f"{_name(chain)} did not finish within {_TIMEOUT_S} s; name another in CXX"
        ) from error
    except OSError as error:
        raise BuildError(f"ninja cannot be run ({error}); run `pip install ninja`") from error
    if status != 0:
        raise BuildError(f"{_name(chain)} failed: {_reason(output)}")


def _run(command: list[str]) -> tuple[int, str]:
    """ninja's exit status and all of its output. Whatever ends the wait ends the compilers as well."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            output, _ = process.communicate(timeout=_TIMEOUT_S)
        except BaseException:
            process.terminate()  # ninja passes that on to its children, which lead groups of their own
            try:
                process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    return process.returncode, output


def _name(chain: Toolchain) -> str:
    return Path(chain.nvcc or chain.compiler[0]).name


def _ninja_file(chain: Toolchain) -> str:
    """The build file. It needs no dependency files, since every build starts from nothing."""
    compiler = chain.nvcc or shlex.join(chain.compiler)
    lines = [
        "rule compile",
        f"  command = {_escape(compiler)} {_escape(shlex.join(chain.flags))} -c $in -o $out",
        "rule link",
        f"  command = {_escape(shlex.join(chain.compiler))} $in -o $out {_escape(shlex.join(chain.link_flags))}",
    ]
    objects = []
    for source in chain.sources:
        objects.append(f"{source.name}.o")
        name = _escape(str(source)).replace(" ", "$ ").replace(":", "$:")
        lines.append(f"build {objects[-1]}: compile {name}")
    lines.append(f"build {_LIBRARY}: link {' '.join(objects)}")
    return "\n".join([*lines, ""])


def _escape(text: str) -> str:
    return text.replace("$", "$$")


def _reason(output: str) -> str:
    """The line of a compiler's output that says why it failed: the first error, else the last line."""
    plain = ("".join(filter(str.isprintable, line)).strip() for line in output.splitlines())
    lines = [line for line in plain if line]
    errors = [line for line in lines if re.search(r"\b(fatal )?error\b", line, re.IGNORECASE)]
    failed = [line for line in lines if line.startswith("FAILED")]
    chosen = [*errors, *failed, *lines[-1:], "it said nothing"]
    return chosen[0][:300]


def _check_cuda_version(nvcc: str) -> None:
    """Refuse a toolkit newer than torch's: the driver may be too old for its code."""
    import torch

    with contextlib.suppress(OSError, ValueError, KeyError, AttributeError):
        text = (Path(nvcc).resolve().parents[1] / "version.json").read_text(encoding="utf-8")
        theirs = str(json.loads(text)["cuda"]["version"])
        ours = str(torch.version.cuda)
        if int(theirs.partition(".")[0]) > int(ours.partition(".")[0]):
            raise BuildError(
                f"nvcc is of CUDA {theirs} but torch of {ours}; set CUDA_HOME to a toolkit of that version"
            )


def _prune(kept: Path) -> None:
    """Remove the builds of earlier sources and compilers, all but the newest few."""
    with contextlib.suppress(OSError):
        target = kept.name.split("-")[0]
        builds = [path for path in kept.parent.glob(f"{target}-*") if path.is_dir() and path != kept]
        builds.sort(key=lambda path: path.stat().st_mtime)
        for path in builds[: max(0, len(builds) - _NUM_KEPT)]:
            shutil.rmtree(path, ignore_errors=True)
