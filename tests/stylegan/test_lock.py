"""A lock that the system releases. Killed holders are tested in `training/test_lock.py`."""

import os
from pathlib import Path

import pytest

from stylegan.errors import LockHeldError, StyleganError
from stylegan.lock import FileLock, alone


def test_one_at_a_time(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock")
    with pytest.raises(LockHeldError) as refusal:
        FileLock(tmp_path / "x.lock")
    assert refusal.value.holder == str(os.getpid())
    assert isinstance(refusal.value, StyleganError)
    lock.release()
    FileLock(tmp_path / "x.lock").release()
    assert (tmp_path / "x.lock").is_file()


def test_whoever_waits_has_his_turn_when_the_lock_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, pauses = FileLock(tmp_path / "x.lock"), []

    def let_go(seconds: float) -> None:
        pauses.append(seconds)
        held.release()

    monkeypatch.setattr("time.sleep", let_go)
    with alone(tmp_path / "x.lock"):
        assert len(pauses) == 1
        with pytest.raises(LockHeldError):
            FileLock(tmp_path / "x.lock")
    FileLock(tmp_path / "x.lock").release()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "gone" / "x.lock")
