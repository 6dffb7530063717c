"""WebDataset shards: members as the standard library finds them, samples, labels, the cached index, damage."""

import re
import tarfile
from pathlib import Path

import numpy as np
import pytest

from stylegan.archive import tar_index
from stylegan.archive.faults import FaultError
from stylegan.archive.random_file import RandomFile
from stylegan.archive.tar_headers import walk
from stylegan.archive.tar_shard import TarShard
from tests.stylegan.archive.tars import samples, write_tar
from tests.stylegan.archive.zips import encoded, noise

PNG = encoded(noise(0, 8, 8, 3))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_are_those_the_standard_library_finds(tmp_path: Path, kind: int) -> None:
    long = "x" * 60 + "/" + "y" * 90
    names = ["a.png", "b/c.png", f"{long}.png", "ü.png"]
    if kind != tarfile.USTAR_FORMAT:
        names.append("z" * 300 + ".png")
    path = write_tar(tmp_path / "a.tar", {name: name.encode() * 700 for name in names}, kind)
    with tarfile.open(path, "a", format=kind) as archive:
        folder, link = tarfile.TarInfo("folder"), tarfile.TarInfo("link.png")
        folder.type, link.type, link.linkname = tarfile.DIRTYPE, tarfile.SYMTYPE, "a.png"
        archive.addfile(folder)
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("empty.txt"))
    with tarfile.open(path) as archive:
        expected = [(info.name.encode(), info.offset_data, info.size) for info in archive if info.isreg()]
    assert [tuple(member) for member in walk(RandomFile(path).read)] == expected


def test_samples_are_members_of_one_key(tmp_path: Path) -> None:
    members = {
        "readme.txt": b"hello",
        "x/1.seg.png": PNG,
        "x/1.JPG": encoded(noise(1, 8, 8, 3), "JPEG"),
        "x/1.json": b'{"label": 3, "cls": 9}',
        "x/2.cls": b" 2\n",
        "x/2.webp": encoded(noise(2, 8, 8, 3), "WEBP", lossless=True),
        "x/2.json": b"{}",
        "__MACOSX/3.png": b"junk",
        "x/.4.png": b"junk",
        "y/1.png": PNG,
        "y/1.json": b"5",
        "y/A.png": PNG,
        "y/A.cls": b"1",
        "y/a.png": PNG,
        "y/a.cls": b"0",
    }
    shard = TarShard(write_tar(tmp_path / "a.tar", members))
    assert [shard.name(i) for i in range(len(shard))] == [
        "x/1.JPG",
        "x/2.webp",
        "y/1.png",
        "y/A.png",
        "y/a.png",
    ]
    assert shard.labels is not None
    assert shard.labels.tolist() == [3, 2, 5, 1, 0]
    assert shard.read(2) == PNG
    assert TarShard(tmp_path / "a.tar", use_labels=False).labels is None


def test_vectors_are_labels_too(tmp_path: Path) -> None:
    members = {"1.png": PNG, "1.json": b"[1, 0.5]", "2.png": PNG, "2.json": b'{"label": [0, 2]}'}
    labels = TarShard(write_tar(tmp_path / "a.tar", members)).labels
    assert labels is not None
    assert labels.tolist() == [[1, 0.5], [0, 2]]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_the_index_is_kept_until_the_file_changes(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    path = write_tar(tmp_path / "a.tar", samples(0, 30, classes=4), mode=mode)
    first = TarShard(path)
    with monkeypatch.context() as patch:
        patch.setattr(tar_index, "read_index", None)
        again = TarShard(path)
    assert again.labels is not None
    assert again.labels.tolist() == [i % 4 for i in range(30)]
    assert [again.read(i) for i in range(30)] == [first.read(i) for i in range(30)]
    write_tar(path, samples(0, 31, classes=5), mode=mode)
    assert len(TarShard(path)) == 31
    for kept in (own_cache / "shards").iterdir():
        kept.write_bytes(kept.read_bytes()[:100])
    assert len(TarShard(path)) == 31


def test_a_packed_tar_is_read_as_if_it_were_not(tmp_path: Path) -> None:
    plain = TarShard(write_tar(tmp_path / "a.tar", samples(0, 20)))
    packed = TarShard(write_tar(tmp_path / "a.tar.gz", samples(0, 20), mode="w:gz"))
    assert (plain.is_sequential, packed.is_sequential) == (False, True)
    again = TarShard(tmp_path / "a.tar.gz")
    assert again.read(0) == plain.read(0)
    assert again._file._descriptor is None  # a look at the first picture unpacks no more
    assert [packed.read(i) for i in (19, 0, 7)] == [plain.read(i) for i in (19, 0, 7)]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"a.txt": b"x"}, "holds no pictures"),
        ({"a.png": PNG, "a.cls": b"cat"}, r"a\.cls: not a whole number"),
        ({"a.png": PNG, "a.json": b"{"}, r"a\.json: not valid JSON"),
        ({"a.png": PNG, "a.json": b'"cat"'}, "whole numbers"),
        ({"a.png": PNG, "a.cls": b"-1"}, "must lie in 0"),
        ({"a.png": PNG, "a.cls": b"1", "b.png": PNG}, r"no label for 1 of 2 images: b\.png"),
        ({"a.png": PNG, "a.jpg": PNG}, r"a\.jpg: a second picture in the sample of a\.png"),
        ({"a.png": PNG, "dataset.json": b'{"labels": [["a.png", 1]]}'}, "KEY.cls"),
    ],
)
def test_opening_tells_what_is_wrong(tmp_path: Path, members: dict[str, bytes], words: str) -> None:
    with pytest.raises(FaultError) as caught:
        TarShard(write_tar(tmp_path / "a.tar", members))
    assert re.search(words, str(caught.value.fault))


def test_damage_is_told(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "a.tar", samples(0, 9), tarfile.USTAR_FORMAT).read_bytes()
    path = tmp_path / "bad.tar"
    for data, kind in (
        (whole[:600], "truncated"),
        (whole[:1300], "truncated"),
        (whole[:1024] + b"x" + whole[1025:], "damaged"),
        (b"<html>" * 200, "not-a-tar"),
    ):
        path.write_bytes(data)
        with pytest.raises(FaultError) as caught:
            TarShard(path)
        assert caught.value.fault.kind == kind
    packed = write_tar(tmp_path / "a.tar.gz", samples(0, 9), mode="w:gz")
    packed.write_bytes(packed.read_bytes()[:500])
    with pytest.raises(FaultError, match="gzip"):
        TarShard(packed)


def header(kind: bytes, size: bytes) -> bytes:
    """A tar's header with these bytes for a size."""
    info = tarfile.TarInfo("a.png")
    info.type = kind
    block = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    block[124:136], block[148:156] = size, b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(records: bytes) -> bytes:
    """A header that says more about the next."""
    return header(b"x", b"%011o\0" % len(records)) + records + bytes(-len(records) % 512)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (header(b"0", b"\x80" + b"\xff" * 11), "damaged"),
        (header(b"0", b"\x80" + bytes(3) + b"\x7f" + b"\xff" * 7), "damaged"),
        (header(b"0", b"\x80" + bytes(3) + b"\x3f" + b"\xff" * 7), "truncated"),
        (header(b"x", b"\x80" + b"\xff" * 11), "damaged"),
        (pax(b"50 size=" + b"9" * 41 + b"\n") + header(b"0", b"0" * 12), "damaged"),
        (pax(b"5010 size=" + b"9" * 4999 + b"\n") + header(b"0", b"0" * 12), "damaged"),
        (pax(b"10 size=-\n") + header(b"0", b"0" * 12), "damaged"),
    ],
    ids=["gnu", "gnu-63-bits", "gnu-62-bits", "extension", "pax-41-digits", "pax-4999-digits", "pax-word"],
)
def test_sizes_beyond_any_file_are_damage(tmp_path: Path, data: bytes, kind: str) -> None:
    path = tmp_path / "forged.tar"
    path.write_bytes(data + bytes(1024))
    with pytest.raises(FaultError) as caught:
        list(walk(RandomFile(path).read))
    assert caught.value.fault.kind == kind


def test_a_record_of_a_length_beyond_any_file_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "forged.tar"
    path.write_bytes(pax(b"9" * 5000 + b" path=b.png\n") + header(b"0", b"0" * 12) + bytes(1024))
    assert [member.name for member in walk(RandomFile(path).read)] == [b"a.png"]


def test_a_tar_cut_after_it_was_opened_is_told(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", samples(0, 9))
    shard = TarShard(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(FaultError, match="cut short"):
        shard.read(8)


def test_nothing_is_kept_a_picture_but_numbers(tmp_path: Path) -> None:
    index = TarShard(write_tar(tmp_path / "a.tar", samples(0, 9)))._index
    assert (index.offsets.dtype, index.sizes.dtype) == (np.int64, np.uint32)
    assert isinstance(index.names.blob, bytes)
