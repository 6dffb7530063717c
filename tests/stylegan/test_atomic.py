"""Files that are whole or absent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stylegan.atomic import atomic_path, write_atomic

POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX file modes and signals")


def test_writes_bytes_and_text(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b.bin", b"\x00\xff")
    write_atomic(tmp_path / "c.txt", "größer\n")
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"\x00\xff"
    assert (tmp_path / "c.txt").read_bytes() == "größer\n".encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c.txt"]


def test_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("a longer text than the next")
    write_atomic(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(error), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_failure_before_anything_was_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "x.txt"):
        pass
    assert not list(tmp_path.iterdir())


def test_the_final_name_appears_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    with atomic_path(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"  # writers choose the format by it
        temporary.write_bytes(b"data")
        assert not path.exists()
    assert path.read_bytes() == b"data"


def test_a_folder_of_that_name_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "inside").touch()
    with pytest.raises(OSError):
        write_atomic(tmp_path / "x", b"data")
    assert (tmp_path / "x" / "inside").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@POSIX
def test_permissions_follow_the_umask_whatever_the_writer_did(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "x") as temporary:
            temporary.write_bytes(b"")
            temporary.chmod(0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


@POSIX
def test_a_kill_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")
    script = (
        "import os, signal, sys\n"
        "from stylegan.atomic import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    result = subprocess.run([sys.executable, "-c", script, str(path)], check=False, timeout=60)
    assert result.returncode < 0
    assert path.read_text() == "old"
    write_atomic(path, "new")
    assert path.read_text() == "new"
