"""Several zips or tars as one data set: which they are, what is read of them, and one line for what does not fit."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from stylegan import DatasetShards, DatasetZip, open_dataset
from stylegan.archive import check_dataset, random_file
from stylegan.archive.faults import FaultError
from stylegan.archive.shard_names import are_there, find_shards, is_shard_set, set_name
from stylegan.errors import ArchiveError
from tests.stylegan.archive.tars import samples, write_tar
from tests.stylegan.archive.zips import data_set, encoded, noise, write_zip


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def zips(tmp_path: Path) -> Path:
    """Three zips of 3, 4 and 5 pictures, whose highest class stands in the second."""
    for i, labels in enumerate(([0, 1, 0], [5, 1, 2, 0], [0, 0, 1, 1, 2])):
        data_set(tmp_path / f"rocks-{i:05d}.zip", len(labels), labels=labels)
    return tmp_path


@pytest.fixture
def tars(tmp_path: Path) -> Path:
    for i in range(3):
        write_tar(tmp_path / f"rocks-{i:05d}.tar", samples(i * 4, i * 4 + 4, classes=3))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("rocks-*.zip", "rocks"),
        ("rocks-0000[0-2].zip", "rocks"),
        ("rocks-{00000..00002}.zip", "rocks"),
        (".", None),
        ("list.txt", "list"),
        ("list.json", "list"),
        ("index.json", "index"),
    ],
)
def test_every_way_to_name_shards_means_the_same(
    zips: Path, text: str, name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"rocks-{i:05d}.zip" for i in range(3)]
    (zips / "list.txt").write_text(
        "\ufeff# the rocks\n" + "\n  # more\n".join(names) + "\n", encoding="utf-8"
    )
    (zips / "list.json").write_text(json.dumps(names))
    (zips / "index.json").write_text(json.dumps({"shardlist": [{"url": one} for one in names]}))
    data = open_dataset(zips / text)
    assert isinstance(data, DatasetShards)
    assert (len(data), data.num_shards, data.label_dim) == (12, 3, 6)
    assert data.name == (name or zips.name)
    monkeypatch.chdir(zips)
    assert open_dataset(text).fingerprint() == data.fingerprint()


def test_one_zip_stays_a_zip(zips: Path) -> None:
    assert type(open_dataset(zips / "rocks-00000.zip")) is DatasetZip
    odd = data_set(zips / "odd[1-3].zip", 2)
    assert len(open_dataset(odd)) == 2


def test_pictures_follow_one_another(zips: Path) -> None:
    data = open_dataset(zips / "rocks-*.zip", xflip=True)
    parts = [DatasetZip(path) for path in sorted(zips.glob("*.zip"))]
    pictures = [part.image(i) for part in parts for i in range(len(part))]
    for i, picture in enumerate(pictures):
        assert np.array_equal(data.image(i), picture)
        assert np.array_equal(data.image(i + 12), picture[:, :, ::-1])
    assert [int(data.label(i).argmax()) for i in range(12)] == [0, 1, 0, 5, 1, 2, 0, 0, 0, 1, 1, 2]
    assert data.names[3] == "rocks-00001.zip/00000/img00000000.png"
    assert data.sources == ({},) * 12
    few = open_dataset(zips / "rocks-*.zip", max_images=4)
    assert few.names == tuple(data.names[i] for i in (0, 3, 6, 9))
    assert few.fingerprint() != data.fingerprint()
    assert np.array_equal(few.image(-1), pictures[9])
    assert data.label_counts() == {0: 5, 1: 4, 2: 2, 5: 1}


def test_tars_are_read_in_their_order(tars: Path) -> None:
    data = open_dataset(tars / "rocks-{00000..00002}.tar")
    assert (len(data), data.label_dim, data.name, data.blocks) == (12, 3, "rocks", None)
    for i in range(12):
        assert np.array_equal(data.image(i), noise(i, 8, 8, 3).transpose(2, 0, 1))
        assert data.label(i).argmax() == i % 3
    assert len(open_dataset(tars / "rocks-00001.tar")) == 4


def test_packed_tars_come_in_blocks(tmp_path: Path) -> None:
    for i in range(3):
        write_tar(tmp_path / f"{i}.tar.gz", samples(i * 4, i * 4 + 4), mode="w:gz")
    assert open_dataset(tmp_path, xflip=True).blocks == (4, 4, 4, 4, 4, 4)
    assert open_dataset(tmp_path, max_images=5).blocks == (2, 2, 1)


def test_more_shards_than_descriptors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random_file.RandomFile, "_opened", (random_file.RandomFile._opened[0], 3))
    monkeypatch.setattr(random_file.UnpackedFile, "_opened", (random_file.UnpackedFile._opened[0], 2))
    for i in range(6):
        write_tar(tmp_path / f"{i}.tar", samples(i * 4, i * 4 + 4))
        write_tar(tmp_path / f"{i}.tar.gz", samples(i * 4, i * 4 + 4), mode="w:gz")
    data = open_dataset(tmp_path)
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(48), 5)).tolist()
    with ThreadPoolExecutor(8) as threads:
        for i, picture in zip(order, threads.map(data.image, order), strict=True):
            shard, place = divmod(i, 4)
            assert np.array_equal(picture, noise(shard // 2 * 4 + place, 8, 8, 3).transpose(2, 0, 1))
    assert len(data) == 48
    again = pickle.loads(pickle.dumps(data))
    assert np.array_equal(again.image(47), data.image(47))


def _refused(text: Path) -> str:
    with pytest.raises(ArchiveError) as caught:
        open_dataset(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_shards_that_do_not_belong_together_are_refused(zips: Path) -> None:
    other = zips / "rocks-00003.zip"
    data_set(other, 2, resolution=16, labels=[0, 1])
    told = _refused(zips / "rocks-*.zip")
    assert told.startswith(f"{other}: 00000/img00000000.png: 16×16 RGB, but rocks-00000.zip has 8×8 RGB")
    assert "bend package" in told
    data_set(other, 2)
    assert f"{other}: no labels, but rocks-00000.zip has classes" in _refused(zips / "rocks-*.zip")
    data_set(other, 2, labels=[[0.5], [1]])
    assert f"{other}: labels of 1 numbers, but rocks-00000.zip" in _refused(zips / "rocks-*.zip")
    assert open_dataset(zips / "rocks-*.zip", use_labels=False).label_dim == 0
    other.write_text("<html>")
    assert f"{other}: a web page" in _refused(zips / "rocks-*.zip")


def test_a_damaged_picture_is_told_with_its_shard(tmp_path: Path) -> None:
    data_set(tmp_path / "a.zip", 2)
    data_set(tmp_path / "b.zip", 1, **{"x.png": b"junk"})
    data = open_dataset(tmp_path)
    with pytest.raises(ArchiveError, match=r"b\.zip: x\.png: not a picture"):
        data.image(3)
    assert {path.name: len(faults) for path, faults in check_dataset(str(tmp_path)).items()} == {
        "a.zip": 0,
        "b.zip": 1,
    }


def test_checks_compare_shards(zips: Path) -> None:
    assert not any(check_dataset(str(zips)).values())
    data_set(zips / "rocks-00003.zip", 2, resolution=16)
    found = check_dataset(str(zips / "*.zip"))[zips / "rocks-00003.zip"]
    assert [fault.kind for fault in found] == ["mixed-size", "labels"]


def test_tars_are_checked(tars: Path) -> None:
    write_tar(tars / "rocks-00003.tar", {"a.png": encoded(noise(0, 8, 8, 3)), "b.png": b"junk"})
    found = check_dataset(str(tars / "*.tar"))
    assert [len(faults) for faults in found.values()] == [0, 0, 0, 1]
    assert [fault.kind for fault in check_dataset(str(tars / "none.tar"))[tars / "none.tar"]] == ["missing"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("none-*.zip", "no file by such a name"),
        ("rocks-{00000..00009}.zip", r"rocks-00003\.zip: no such file"),
        ("rocks-{5..1}.zip", "must run upwards"),
        ("folder", "not a file"),
        ("empty.txt", "lists no shards"),
        ("odd.json", "must be a list of shards"),
        ("bad.json", "not valid JSON"),
        ("gone.txt", r"gone\.txt: read as a list of shards, it names .*gone\.zip, which is not there"),
    ],
)
def test_what_leads_to_no_shards_is_told(zips: Path, text: str, words: str) -> None:
    (zips / "folder").mkdir()
    (zips / "empty.txt").write_text("\n")
    (zips / "odd.json").write_text('{"shards": 3}')
    (zips / "bad.json").write_text("[")
    (zips / "gone.txt").write_text("gone.zip")
    with pytest.raises(ArchiveError, match=words):
        open_dataset(zips / text)


def test_a_numbered_set_must_be_whole(tmp_path: Path) -> None:
    for i in (0, 1, 3):
        write_zip(tmp_path / f"r-{i:05d}-of-00004.zip", {})
    with pytest.raises(FaultError, match="3 of the 4 shards of r: number 2 is missing"):
        find_shards(str(tmp_path / "*.zip"))
    write_zip(tmp_path / "r-00002-of-00004.zip", {})
    assert set_name(str(tmp_path / "*.zip"), find_shards(str(tmp_path / "*.zip"))) == "r"


def test_whether_shards_are_there(zips: Path) -> None:
    assert are_there(str(zips / "rocks-*.zip"))
    assert are_there(str(zips / "rocks-00001.zip"))
    for text in ("none-*.zip", "rocks-{00000..00003}.zip", "none.zip"):
        assert not are_there(str(zips / text))


def test_what_is_no_set_of_shards(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("x")
    for text in ("notes.md", "none.zip", "."):
        assert not is_shard_set(str(tmp_path / text))
