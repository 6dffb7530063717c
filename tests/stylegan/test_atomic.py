"""Files that are whole or absent."""

import errno
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stylegan import atomic
from stylegan.atomic import atomic_path, temporary_name, write_atomic

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


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    for name in ("x" * 251 + ".png", "名" * 83 + ".webp"):
        write_atomic(tmp_path / name, "data")
        assert (tmp_path / name).read_text() == "data"


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
def test_threads_leave_the_umask_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    set_umask = os.umask

    def slow(mask: int) -> int:
        found = set_umask(mask)
        time.sleep(0)  # lets another thread have its turn
        return found

    known = set_umask(0o027)
    monkeypatch.setattr(os, "umask", slow)
    try:
        with ThreadPoolExecutor(4) as threads:
            found = set(threads.map(lambda _: atomic._umask(), range(1000)))
    finally:
        after = set_umask(known)
    assert (found, after) == ({0o027}, 0o027)


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    with atomic_path(path) as first:
        first.write_text("first")
        with atomic_path(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


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


def test_a_file_is_checked_before_it_has_its_name(tmp_path: Path) -> None:
    def refuse(temporary: Path) -> None:
        assert temporary.read_text() == "new"
        raise OSError("damaged")

    path = tmp_path / "x.txt"
    path.write_text("old")
    with (
        pytest.raises(OSError, match="damaged"),
        atomic_path(path, check=refuse, keep=tmp_path / "kept") as new,
    ):
        new.write_text("new")
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("x.txt", "old")]


def test_the_file_before_is_kept(tmp_path: Path) -> None:
    for text in ("1", "2", "3"):
        with atomic_path(tmp_path / "x", keep=tmp_path / "before") as temporary:
            temporary.write_text(text)
    assert ((tmp_path / "x").read_text(), (tmp_path / "before").read_text()) == ("3", "2")


@pytest.mark.parametrize("has_links", [True, False])
def test_a_file_that_appeared_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    if not has_links:
        monkeypatch.setattr(Path, "hardlink_to", lambda *paths: (_ for _ in ()).throw(PermissionError()))
    with pytest.raises(FileExistsError) as error, atomic_path(tmp_path / "x", replace=False) as temporary:
        temporary.write_text("mine")
        (tmp_path / "x").write_text("theirs")
    assert error.value.filename == str(tmp_path / "x")
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("x", "theirs")]
    with atomic_path(tmp_path / "y", replace=False) as temporary:
        temporary.write_text("mine")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["x", "y"]


@POSIX
def test_leftovers_of_the_dead_are_swept(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine = temporary_name("x", ".png")
    host = mine.split(".")[2].split("-")[0]
    gone = [f".x.{host}-{dead.pid}.tmp.png", f".a.b.{host}-{dead.pid}.tmp", f".frames.{host}-{dead.pid}.tmp"]
    kept = [
        mine,
        f".x.000000-{dead.pid}.tmp.png",
        f".x.{host}-1.tmp",
        f"x.{host}-{dead.pid}.tmp",
        ".tmp",
        "tmp.png",
    ]
    for name in (*gone[:2], *kept):
        (tmp_path / name).touch()
    (tmp_path / gone[2]).mkdir()
    (tmp_path / gone[2] / "frame").touch()
    write_atomic(tmp_path / "new", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "new"])


def test_an_error_whose_name_cannot_be_changed_still_names_the_file(tmp_path: Path) -> None:
    class StiffError(PermissionError):
        filename = property(lambda self: None)  # type: ignore[assignment]

    with pytest.raises(PermissionError) as error, atomic_path(tmp_path / "x"):
        raise StiffError(errno.EACCES, "no")
    assert error.value.filename == str(tmp_path / "x")


def test_a_file_where_the_folder_should_be_is_told_as_such(tmp_path: Path) -> None:
    """And not as an output that has appeared meanwhile."""
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as error, atomic_path(tmp_path / "file" / "a.txt", replace=False):
        pass
    assert error.value.filename == str(tmp_path / "file")
