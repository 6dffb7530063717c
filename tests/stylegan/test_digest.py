"""The hash of a file's bytes."""

import hashlib
from pathlib import Path

import pytest

from stylegan.digest import file_sha256


def test_it_is_that_of_all_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "a").write_bytes(data)
    assert file_sha256(tmp_path / "a") == file_sha256(str(tmp_path / "a")) == hashlib.sha256(data).hexdigest()
    with pytest.raises(FileNotFoundError):
        file_sha256(tmp_path / "b")
