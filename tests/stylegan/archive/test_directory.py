"""The central directory, compared with what the standard library's reader finds."""

import os
import random
import struct
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from stylegan.archive.directory import read_directory
from stylegan.archive.members import Members, NameTable
from stylegan.archive.random_file import RandomFile


def _ours(path: Path) -> Members:
    return read_directory(RandomFile(path), path.stat().st_size)


def _names_by_library(path: Path) -> set[str] | None:
    """None where the standard library refuses the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {info.filename for info in archive.infolist() if not info.is_dir()}
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, IndexError):
        return None


def _names_by_ours(path: Path) -> set[str] | None:
    """None where our reader refuses the file."""
    try:
        return set(_ours(path))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error):
        return None


def _assert_same(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        infos = {info.filename: info for info in archive.infolist() if not info.is_dir()}
    found = _ours(path)
    assert set(found) == set(infos)
    for name, info in infos.items():
        member = found[name]
        assert (member.offset, member.stored_bytes, member.num_bytes, member.method, member.crc) == (
            info.header_offset,
            info.compress_size,
            info.file_size,
            info.compress_type,
            info.CRC,
        )


def _mixed(path: Path, comment: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(50):
            method = zipfile.ZIP_DEFLATED if i % 3 else zipfile.ZIP_STORED
            archive.writestr(f"{i % 7}/ü{i}.bin", b"x" * i * 9, method)
        archive.writestr("folder/", b"")
        archive.comment = comment
    return path


def test_it_finds_what_the_standard_library_finds(tmp_path: Path) -> None:
    path = _mixed(tmp_path / "a.zip")
    _assert_same(path)
    _assert_same(_mixed(tmp_path / "comment.zip", b"a comment" * 20))
    prefixed = tmp_path / "prefixed.zip"
    prefixed.write_bytes(b"#!/bin/sh\n" * 99 + path.read_bytes())
    _assert_same(prefixed)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    assert len(_ours(tmp_path / "empty.zip")) == 0


def test_a_directory_of_many_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylegan.archive.directory._BLOCK_BYTES", 100)
    _assert_same(_mixed(tmp_path / "a.zip"))


def test_names_of_old_programs(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xyz.png", b"1")
    path.write_bytes(path.read_bytes().replace(b"xyz.png", b"\x81\x82z.png"))  # code page 437
    _assert_same(path)
    assert list(_ours(path)) == ["üéz.png"]


def test_offsets_and_counts_beyond_32_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 400)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 5)
    path = _mixed(tmp_path / "a.zip")
    assert b"PK\6\6" in path.read_bytes()
    _assert_same(path)


def test_damage_is_refused_as_the_standard_library_does(tmp_path: Path) -> None:
    whole = _mixed(tmp_path / "a.zip").read_bytes()
    start = whole.index(b"PK\1\2")
    draw = random.Random(0)
    path = tmp_path / "bad.zip"
    outcomes: Counter[tuple[bool, bool]] = Counter()
    for _ in range(300):
        data = bytearray(whole)
        data[draw.randrange(start, len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(data[: len(data) - draw.choice([0, 0, 0, draw.randrange(200)])])
        expected, found = _names_by_library(path), _names_by_ours(path)
        outcomes[expected is None, found is None] += 1
        assert expected is None or found == expected
    assert outcomes[False, False] > 100 and outcomes[True, True] > 100
    assert outcomes[True, False] < 10  # what nobody needs: extra fields, the version asked for


def test_names_are_found_and_sorted_whatever_their_order() -> None:
    names = [f"{i}".encode() * (i % 5 + 1) for i in range(500)]
    random.Random(0).shuffle(names)
    table = NameTable.of(names)
    order = table.order()
    assert order is not None
    assert [table[row] for row in order.tolist()] == sorted(names)
    assert NameTable.of(sorted(names)).order() is None


_MEASURE = """
import sys, zipfile
from stylegan.archive import DatasetZip
from PIL import PngImagePlugin

def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])

DatasetZip(sys.argv[1])
before = peak()
data = DatasetZip(sys.argv[2])
assert len(data) == 100_000 and data.label_dim == 10 and data[99_999][1].argmax() == 9
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
def test_a_hundred_thousand_pictures_take_a_fifth_of_the_bound_for_a_million(tmp_path: Path) -> None:
    from tests.stylegan.archive.zips import data_set, encoded, noise

    png = encoded(noise(0, 8, 8, 3))
    names = [f"{i // 1000:05d}/img{i:08d}.png" for i in range(100_000)]
    labels = ", ".join(f'["{name}", {i % 10}]' for i, name in enumerate(names))
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for name in names:
            archive.writestr(name, png)
        archive.writestr("dataset.json", f'{{"labels": [{labels}]}}')
    one = data_set(tmp_path / "one.zip", 1)
    found = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(one), str(tmp_path / "many.zip")],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert int(found.stdout) * 1024 < 40e6
