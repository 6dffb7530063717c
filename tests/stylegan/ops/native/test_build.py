"""Building: two processes at once, caches that are stale, broken or read-only, compilers that fail or are missing."""

import ctypes
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stylegan.errors import BuildError
from stylegan.ops import build as build_module
from stylegan.ops import toolchain as toolchain_module
from stylegan.ops.build import build, built, compile_into, library_path
from stylegan.ops.toolchain import SOURCES, find_ninja, find_nvcc, toolchain

TINY = 'extern "C" __attribute__((visibility("default"))) int answer() { return %d; }\n'


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Sources that compile in no time, and a cache of their own."""
    sources = tmp_path / "csrc with $pace"
    sources.mkdir()
    (sources / "answer.cpp").write_text(TINY % 42)
    monkeypatch.setattr(toolchain_module, "SOURCES", sources)
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "cache"))
    try:
        toolchain("cpu")
    except BuildError as error:
        pytest.skip(str(error))
    yield sources


def answer(path: Path) -> int:
    return int(ctypes.CDLL(str(path)).answer())


def test_builds_once_and_again_when_a_source_changes(tiny: Path) -> None:
    assert built("cpu") is None
    first = build("cpu")
    assert answer(first) == 42
    assert built("cpu") == first == build("cpu")
    (tiny / "answer.cpp").write_text(TINY % 43)
    assert built("cpu") is None
    second = build("cpu")
    assert second != first
    assert answer(second) == 43
    (tiny / "numbers.h").write_text("// a header counts as well\n")
    assert built("cpu") is None


def test_key_tells_flags_compilers_and_torch_apart(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {toolchain("cpu").key}
    assert toolchain("cpu").key in keys
    with monkeypatch.context() as patch:
        patch.setattr("torch.__version__", "2.99.0")
        keys.add(toolchain("cpu").key)
    with monkeypatch.context() as patch:
        patch.setattr(toolchain_module, "_machine", lambda target: "another processor")
        keys.add(toolchain("cpu").key)
    with monkeypatch.context() as patch:
        patch.setenv("CXX", f"{toolchain('cpu').compiler[0]} -DNDEBUG")
        keys.add(toolchain("cpu").key)
    assert len(keys) == 4


def test_a_static_standard_library_is_no_other_ones(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Error messages format numbers, by way of static ids that two copies of the library must not share."""
    monkeypatch.setenv("CXX", f"{toolchain('cpu').compiler[0]} -static-libstdc++")
    told = 'extern "C" __attribute__((visibility("default"))) int answer() {'
    told += " std::ostringstream out; out << 40L + 2; return std::stoi(out.str()); }"
    (tiny / "answer.cpp").write_text(f"#include <sstream>\n#include <string>\n{told}\n")
    try:
        path = build("cpu")
    except BuildError as error:
        pytest.skip(str(error))
    loaded = f"import ctypes, torch; print(ctypes.CDLL({str(path)!r}).answer())"
    ran = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=False)
    assert ran.stdout == "42\n", ran.stderr


def test_a_build_leaves_only_the_library(tiny: Path) -> None:
    path = build("cpu")
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert not [folder for folder in path.parent.parent.iterdir() if folder.name.startswith(".")]


def test_force_builds_anew_and_a_folder_without_its_library_is_replaced(tiny: Path) -> None:
    path = build("cpu")
    before = path.stat().st_ino
    assert build("cpu").stat().st_ino == before
    assert build("cpu", force=True).stat().st_ino != before
    path.unlink()
    assert built("cpu") is None
    assert answer(build("cpu")) == 42


def test_old_builds_are_removed(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "_NUM_KEPT", 1)
    for number in range(4):
        (tiny / "answer.cpp").write_text(TINY % number)
        path = build("cpu")
    assert len([folder for folder in path.parent.parent.iterdir() if folder.is_dir()]) == 2
    assert answer(path) == 3


@pytest.mark.parametrize(
    ("cxx", "message"),
    [
        ("false", "false failed"),
        ("true", "true made no whole library"),
        ("c++ '-DNAME", r"CXX cannot be read \(No closing quotation\).*; mend or unset CXX"),
        ("no-such-compiler", "'no-such-compiler' that CXX names was not found"),
    ],
)
def test_a_compiler_that_fails_is_told_in_one_line(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, cxx: str, message: str
) -> None:
    monkeypatch.setenv("CXX", cxx)
    with pytest.raises(BuildError, match=message) as caught:
        build("cpu")
    assert "\n" not in str(caught.value)
    folder = Path(os.environ["BEND_CACHE"]) / "ops"
    assert not folder.exists() or [file.name for file in folder.iterdir()] == ["cpu.lock"]


def test_a_compiler_that_hangs_is_ended(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo = tmp_path / "held"
    os.mkfifo(fifo)
    hanging = tmp_path / "c++"
    hanging.write_text(f"#!/bin/sh\necho begun > {fifo}\nexec sleep 600 > {fifo}\n")
    hanging.chmod(0o755)
    monkeypatch.setenv("CXX", str(hanging))
    monkeypatch.setattr(build_module, "_TIMEOUT_S", 2)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(BuildError, match=r"c\+\+ did not finish within 2 s"):
            build("cpu")
        assert os.read(reader, 100) == b"begun\n"
        select.select([reader], [], [], 10)
        assert os.read(reader, 100) == b""  # an error while a writer lives
    finally:
        os.close(reader)


def test_a_compiler_named_from_here_or_by_no_text(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["c++"] if sys.platform == "darwin" else ["c++", os.fsdecode(b"c\xff++")]
    real = toolchain("cpu").compiler[0]
    monkeypatch.chdir(tmp_path)
    for name in names:
        Path(name).symlink_to(real)
        monkeypatch.setenv("CXX", f"./{name}")
        assert answer(build("cpu")) == 42
        assert toolchain("cpu").compiler[0] == str(tmp_path / name)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the loader looks for itself")
@pytest.mark.parametrize("share", [0.0, 0.003, 0.5, 0.99])
def test_a_library_cut_short_counts_as_none(tiny: Path, share: float) -> None:
    """Loading it would kill the process."""
    path = build("cpu")
    os.truncate(path, int(share * path.stat().st_size))
    assert built("cpu") is None
    assert answer(build("cpu")) == 42


def test_an_error_in_a_source_names_the_line(tiny: Path) -> None:
    (tiny / "answer.cpp").write_text("int answer() { return nonsense; }\n")
    with pytest.raises(BuildError, match=r"answer\.cpp:1.*nonsense"):
        build("cpu")


def test_without_a_compiler_or_ninja(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.delenv("CXX", raising=False)
        patch.setattr(shutil, "which", lambda name: None)
        with pytest.raises(BuildError, match=r"no C\+\+ compiler was found; install"):
            build("cpu")
    monkeypatch.setattr(build_module, "find_ninja", lambda: None)
    with pytest.raises(BuildError, match="ninja was not found; run `pip install ninja`"):
        build("cpu")


def test_a_cache_that_cannot_be_written(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "file"))  # even the superuser can make no folder there
    with pytest.raises(BuildError, match=r"cannot be written .*; set BEND_CACHE"):
        build("cpu")
    assert built("cpu") is None


def test_a_cache_that_cannot_even_be_looked_into(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEND_CACHE", "/" + 300 * "x")  # asking is an error, as it is in another's home
    assert built("cpu") is None
    with pytest.raises(BuildError, match=r"cannot be written .*; set BEND_CACHE"):
        build("cpu")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind the superuser")
def test_a_read_only_cache(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "locked"))
    with pytest.raises(BuildError, match="cannot be written"):
        build("cpu")


def test_two_processes_at_once_build_once(tiny: Path, tmp_path: Path) -> None:
    log = tmp_path / "compilations"
    real = toolchain("cpu").compiler[0]
    counting = tmp_path / "c++"
    counting.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {real} "$@"\n')
    counting.chmod(0o755)
    told = [tmp_path / name for name in ("first", "second")]
    code = (
        "import os, pathlib, sys; from stylegan.ops import toolchain; from stylegan.ops.build import build\n"
        f"toolchain.SOURCES = pathlib.Path({str(tiny)!r})\n"
        "toolchain.toolchain('cpu')\n"  # imports torch, once for both
        "go, gone = os.pipe(); processes = []\n"
        "for name in sys.argv[1:]:\n"
        "    processes.append(os.fork())\n"
        "    if not processes[-1]:\n"
        "        os.close(gone); os.read(go, 1); pathlib.Path(name).write_text(str(build('cpu'))); os._exit(0)\n"
        "os.close(gone)\n"  # both begin, so that neither finds anything built
        "sys.exit(any(os.waitpid(process, 0)[1] for process in processes))"
    )
    environ = {**os.environ, "CXX": str(counting)}
    subprocess.run([sys.executable, "-c", code, *told], env=environ, check=True, timeout=300)
    paths = {path.read_text() for path in told}
    assert len(paths) == 1
    assert answer(Path(paths.pop())) == 42
    assert sum(" -c " in f" {line} " for line in log.read_text().splitlines()) == 1


def test_a_lock_whose_process_died_binds_nobody(tiny: Path) -> None:
    lock = library_path(toolchain("cpu")).parent.parent / "cpu.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("left over")
    assert answer(build("cpu")) == 42


def test_what_a_killed_build_left_is_removed_by_the_next(tiny: Path) -> None:
    leftover = library_path(toolchain("cpu")).parent.parent / ".cpu-0123456789.k1lled"
    leftover.mkdir(parents=True)
    (leftover / "add.o").touch()
    assert answer(build("cpu")) == 42
    assert not leftover.exists()


def test_the_library_keeps_to_the_stable_abi(built_ops: Path) -> None:
    """Symbols of torch's C++ interfaces, which change from release to release, must not be needed."""
    assert_stable(built_ops, "-D")


def assert_stable(path: Path, *options: str) -> None:
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("no nm")
    told = subprocess.run(
        [nm, *options, "--undefined-only", path], capture_output=True, text=True, check=True
    )
    names = {line.split()[-1] for line in told.stdout.splitlines()}
    assert "torch_library_impl" in names
    names = {name for name in names if not name.startswith("torch_")}  # the stable ABI's own, in C
    assert not [
        name for name in names if "c10" in name or "at6Tensor" in name or name.startswith("_ZN5torch")
    ]


@pytest.mark.slow
def test_cuda_sources_compile(tmp_path: Path) -> None:
    if find_nvcc() is None:
        pytest.skip("no nvcc")
    chain = toolchain("cuda", architectures=("sm_75", "sm_80", "sm_86", "sm_90"))
    objects = compile_into(chain, tmp_path, is_linked=False)
    assert {path.name for path in objects} == {f"{path.name}.o" for path in SOURCES.glob("*.cu")}
    assert {path.name for path in objects} >= {"finish_layer.cu.o", "to_rgb.cu.o"}
    assert all(path.stat().st_size > 10_000 for path in objects)
    for path in objects:
        assert_stable(path)


def test_sources_are_all_known_kinds_and_headers_are_guarded() -> None:
    assert find_ninja() is not None
    for path in SOURCES.iterdir():
        assert path.suffix in (".h", ".cpp", ".cu"), path
        assert path.suffix != ".h" or "#pragma once" in path.read_text(), path


@pytest.mark.parametrize("place", ["lib64", "lib", "targets/x86_64-linux/lib"])
def test_cuda_is_linked_from_any_toolkit_with_the_hosts_own_flags(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nvcc = tmp_path / "bin" / "nvcc"
    libraries, other = tmp_path / place, tmp_path / "targets" / "sbsa-linux" / "lib"
    for folder in (nvcc.parent, libraries, other):
        folder.mkdir(parents=True)
    (libraries / "libcudart_static.a").touch()
    nvcc.write_text("#!/bin/sh\n")
    nvcc.chmod(0o755)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    monkeypatch.setenv("CXX", f"{toolchain('cpu').compiler[0]} -m64 -g")
    found = toolchain("cuda", architectures=("sm_90",))
    assert f"-L{libraries}" in found.link_flags
    assert f"-L{other}" not in found.link_flags
    assert {"-Xcompiler=-m64", "-Xcompiler=-g", f"-ccbin={found.compiler[0]}"} <= set(found.flags)
