"""A lock that the system gives back. Killed holders are the matter of `training/test_lock.py`."""

import os
from pathlib import Path

import pytest

from stylegan.lock import FileLock, LockHeldError


def test_one_at_a_time(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock")
    with pytest.raises(LockHeldError) as refusal:
        FileLock(tmp_path / "x.lock")
    assert refusal.value.holder == str(os.getpid())
    lock.release()
    FileLock(tmp_path / "x.lock").release()
    assert (tmp_path / "x.lock").is_file()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "gone" / "x.lock")
