"""Several zips that are named together, or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bend.prepare.shard_writer import ShardWriter, shards_there
from stylegan.archive import DatasetZip, encode_png
from stylegan.atomic import temporary_name
from tests.stylegan.archive.zips import noise

PNGS = [encode_png(noise(i, 8, 8, 3)) for i in range(5)]


def _write(path: Path, shard_size: int, *, replace: bool = False) -> ShardWriter:
    with ShardWriter(path, shard_size=shard_size, replace=replace) as writer:
        for i, png in enumerate(PNGS):
            writer.add_encoded(png, label=i % 2, source={"title": str(i)})
            assert len(writer) == i + 1
    return writer


def test_zips_are_full_but_for_the_last(tmp_path: Path) -> None:
    writer = _write(tmp_path / "r.zip", 2)
    assert [path.name for path in writer.paths] == [f"r-0000{i}-of-00003.zip" for i in range(3)]
    assert [len(DatasetZip(path)) for path in writer.paths] == [2, 2, 1]
    assert sorted(tmp_path.iterdir()) == list(writer.paths) == shards_there(tmp_path / "r.zip")
    assert DatasetZip(writer.paths[2]).sources == ({"title": "4"},)


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = _write(tmp_path / "a" / "r.zip", 3), _write(tmp_path / "b" / "r.zip", 3)
    assert [path.read_bytes() for path in first.paths] == [path.read_bytes() for path in second.paths]


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_a_failure_leaves_nothing(tmp_path: Path, failure: type[BaseException]) -> None:
    def fail() -> None:
        with ShardWriter(tmp_path / "r.zip", shard_size=2, replace=False) as writer:
            for png in PNGS:
                writer.add_encoded(png)
            raise failure

    with pytest.raises(failure):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / temporary_name("r-shards").replace(f"-{os.getpid()}.", f"-{dead.pid}.")
    left.mkdir()
    (left / "00000.zip").write_bytes(b"half")
    writer = _write(tmp_path / "r.zip", 2)
    assert sorted(tmp_path.iterdir()) == list(writer.paths)


def test_an_older_set_is_replaced_only_if_it_may_be(tmp_path: Path) -> None:
    before = _write(tmp_path / "r.zip", 2).paths
    with pytest.raises(FileExistsError):
        _write(tmp_path / "r.zip", 3)
    assert sorted(tmp_path.iterdir()) == list(before)
    after = _write(tmp_path / "r.zip", 3, replace=True).paths
    assert sorted(tmp_path.iterdir()) == list(after)
