"""Random access to members: stored and deflated, from threads and processes, and damage of every kind."""

import multiprocessing
import os
import pickle
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stylegan.archive import container
from stylegan.archive.container import Container
from stylegan.archive.faults import FaultError
from tests.stylegan.archive.zips import noise, write_zip

BLOBS = {f"{i}.bin": noise(i, 3000 + i).tobytes() for i in range(40)}


@pytest.fixture(params=[zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_zip(tmp_path / "blobs.zip", BLOBS, request.param)


def test_members_are_read_as_written(blobs: Path) -> None:
    opened = Container(blobs)
    assert list(opened.members) == list(BLOBS)
    assert {name: opened.read(name) for name in reversed(BLOBS)} == BLOBS


def test_members_are_streamed_whole_wherever_pieces_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "_PIECE", 4096)
    text = b'["a.png", 0], ' * 700
    members = {f"{size}.json": text[:size] for size in (0, 1, *range(4080, 4130), *range(8180, 8230))}
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        opened = Container(write_zip(tmp_path / f"{method}.zip", members, method))
        for name, data in members.items():
            pieces = list(opened.stream(name))
            assert b"".join(pieces) == data
            assert max(map(len, pieces), default=0) <= 4096


def test_folders_are_no_members(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"folder/": b"", "folder/x": b"1", "empty": b""})
    assert list(Container(path).members) == ["folder/x", "empty"]
    assert Container(path).read("empty") == b""


def test_a_long_local_extra_field_is_stepped_over(tmp_path: Path) -> None:
    path = tmp_path / "extra.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("a.bin")
        info.extra = struct.pack("<HH", 0x9999, 400) + bytes(400)
        archive.writestr(info, BLOBS["7.bin"])
    assert Container(path).read("a.bin") == BLOBS["7.bin"]


def test_what_stands_before_the_zip_does_not_matter(tmp_path: Path, blobs: Path) -> None:
    path = tmp_path / "prefixed.zip"
    path.write_bytes(b"#!/bin/sh\n" * 50 + blobs.read_bytes())
    assert Container(path).read("9.bin") == BLOBS["9.bin"]


def test_threads_may_read_at_once(blobs: Path) -> None:
    opened = Container(blobs)
    names = list(BLOBS) * 20
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(opened.read, names)) == [BLOBS[name] for name in names]


def _read_all(opened: Container) -> dict[str, bytes]:
    return {name: opened.read(name) for name in opened.members}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of Python 3.12, where numpy runs threads
def test_forked_processes_share_the_descriptor(blobs: Path) -> None:
    opened = Container(blobs)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:  # in the child: nothing but the test's own work, and no pytest on the way out
            os._exit(0 if all(_read_all(opened) == BLOBS for _ in range(20)) else 1)
        children.append(child)
    assert all(_read_all(opened) == BLOBS for _ in range(20))
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4


def test_a_spawned_process_opens_its_own(blobs: Path) -> None:
    opened = Container(blobs)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_read_all, (opened,)) == BLOBS
    assert _read_all(pickle.loads(pickle.dumps(opened))) == BLOBS


def test_without_pread_a_lock_does(blobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pread", raising=False)
    opened = Container(blobs)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(opened.read, BLOBS)) == list(BLOBS.values())


def test_descriptors_are_given_back(blobs: Path) -> None:
    before = _num_descriptors()
    for _ in range(20):
        Container(blobs)
    Container(blobs).close()
    assert _num_descriptors() == before


def _num_descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def _fault_of(path: Path, name: str) -> str:
    with pytest.raises(FaultError) as caught:
        Container(path).read(name)
    assert caught.value.fault.member == name
    return caught.value.fault.kind


def test_a_flipped_bit_is_noticed(blobs: Path) -> None:
    data = bytearray(blobs.read_bytes())
    member = Container(blobs).members["20.bin"]
    data[member.offset + 30 + len("20.bin") + 100] ^= 4
    blobs.write_bytes(data)
    assert _fault_of(blobs, "20.bin") == "damaged"
    assert Container(blobs).read("21.bin") == BLOBS["21.bin"]


def test_a_broken_local_header_is_noticed(blobs: Path) -> None:
    data = bytearray(blobs.read_bytes())
    data[Container(blobs).members["3.bin"].offset] = 0
    blobs.write_bytes(data)
    assert _fault_of(blobs, "3.bin") == "damaged"


def _with_directory_field(path: Path, offset: int, code: str, value: int) -> Path:
    """Overwrite a field of the first entry of the central directory."""
    data = bytearray(path.read_bytes())
    struct.pack_into(code, data, data.index(b"PK\x01\x02") + offset, value)
    path.write_bytes(data)
    return path


def test_encrypted_members_are_refused(blobs: Path) -> None:
    assert _fault_of(_with_directory_field(blobs, 8, "<H", 1), "0.bin") == "encrypted"


def test_other_methods_are_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a": b"x" * 100}, zipfile.ZIP_BZIP2)
    assert _fault_of(path, "a") == "method"


def test_absurd_sizes_are_refused_unread(blobs: Path) -> None:
    assert (
        _fault_of(_with_directory_field(blobs, 24, "<I", container.MAX_MEMBER_BYTES + 1), "0.bin")
        == "too-large"
    )


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = write_zip(tmp_path / "bomb.zip", {"a.png": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 100_000
    assert _fault_of(_with_directory_field(bomb, 24, "<I", 1000), "a.png") == "damaged"


def test_duplicate_names_are_remembered(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a", b"1")
        archive.writestr("a", b"2")
    assert Container(path).members.duplicates == ("a",)
    assert Container(path).read("a") == b"2"


@pytest.mark.slow
def test_more_than_65535_members(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "many.zip", {f"{i}": b"%d" % i for i in range(65_600)})
    opened = Container(path)
    assert len(opened.members) == 65_600
    assert opened.read("65599") == b"65599"
