"""Downloaded networks: found by name, hashed again once touched, refused once changed."""

import dataclasses
import errno
import os
from pathlib import Path

import pytest

from stylegan.checkpoint import find_network, save_network
from stylegan.checkpoint.cache import CacheRecord, cached_network, networks_folder, read_record
from stylegan.checkpoint.known import KNOWN
from stylegan.digest import file_sha256
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.crafted import tiny_generator


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path))
    path = networks_folder() / "ffhq256.pkl"
    save_network(path, G_ema=tiny_generator())
    stat = path.stat()
    CacheRecord(
        file=path.name,
        url=KNOWN["ffhq256"].url,
        sha256=file_sha256(path),
        num_bytes=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
    ).save("ffhq256")
    return path


def test_a_name_that_was_pulled_is_a_network(cached: Path) -> None:
    assert find_network("ffhq256") == cached


def test_a_name_that_was_not_says_how(cached: Path) -> None:
    assert cached_network("ffhq512") is None
    with pytest.raises(CheckpointError, match="not downloaded yet; run `bend models pull ffhq512`"):
        find_network("ffhq512")


def test_a_touched_file_is_hashed_again(cached: Path) -> None:
    os.utime(cached, ns=(1, 1))
    assert cached_network("ffhq256") == cached
    record = read_record("ffhq256")
    assert record is not None
    assert record.mtime_ns == cached.stat().st_mtime_ns


def test_a_touched_file_in_a_cache_that_cannot_be_written_is_a_network(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, content: str) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr("stylegan.checkpoint.cache.write_atomic", refuse)
    os.utime(cached, ns=(1, 1))
    assert find_network("ffhq256") == cached


@pytest.mark.parametrize("how", ["longer", "changed"])
def test_a_changed_file_is_refused(cached: Path, how: str) -> None:
    data = cached.read_bytes()
    cached.write_bytes(data + b"x" if how == "longer" else data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="no longer the file that was downloaded") as refusal:
        find_network("ffhq256")
    assert "bend models pull ffhq256 --force" in str(refusal.value)


def test_a_damaged_record_counts_as_none(cached: Path) -> None:
    record = read_record("ffhq256")
    assert record is not None
    for text in ("", "{}", "[]", '{"file": "../x"}'):
        (networks_folder() / "ffhq256.json").write_text(text)
        assert read_record("ffhq256") is None
    with pytest.raises(ValueError, match="plain name"):
        dataclasses.replace(record, file="../ffhq256.pkl")
