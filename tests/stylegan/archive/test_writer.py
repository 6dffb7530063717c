"""Written zips: the layout others expect, the same bytes each time, and whole or absent."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from stylegan.archive import ArchiveWriter, DatasetZip, check_archive, write_archive
from stylegan.archive.writer import member_name
from stylegan.errors import ArchiveError
from tests.stylegan.archive.zips import noise

PICTURES = [noise(i, 16, 16, 3) for i in range(5)]


def test_the_layout_is_the_official_one(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    assert write_archive(path, PICTURES, labels=[0, 1, 2, 1, 0]) == 5
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == [f"00000/img{i:08d}.png" for i in range(5)] + ["dataset.json"]
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        content = json.loads(archive.read("dataset.json"))
    assert content == {"labels": [[names[i], label] for i, label in enumerate([0, 1, 2, 1, 0])]}
    data = DatasetZip(path)
    assert all(np.array_equal(data.image(i), PICTURES[i].transpose(2, 0, 1)) for i in range(5))


def test_labels_may_be_numpys(tmp_path: Path) -> None:
    write_archive(tmp_path / "classes.zip", PICTURES[:2], labels=np.array([2, 0]))
    write_archive(tmp_path / "vectors.zip", PICTURES[:2], labels=np.array([[0.5, 1], [2, 3]], np.float32))
    assert DatasetZip(tmp_path / "classes.zip").label(0).tolist() == [0, 0, 1]
    assert DatasetZip(tmp_path / "vectors.zip").label(0).tolist() == [0.5, 1]


def test_member_names_have_eight_digits() -> None:
    assert member_name(0) == "00000/img00000000.png"
    assert member_name(123_456) == "00123/img00123456.png"


def test_without_labels_it_says_null(tmp_path: Path) -> None:
    write_archive(tmp_path / "a.zip", PICTURES)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert json.loads(archive.read("dataset.json")) == {"labels": None}


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.zip", "b.zip"):
        write_archive(tmp_path / name, PICTURES, sources=[{"title": "Grün \ud800"}] * 5)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert DatasetZip(tmp_path / "a.zip").sources[0] == {"title": "Grün ?"}


def test_the_bytes_are_those_of_every_other_machine(tmp_path: Path) -> None:
    write_archive(tmp_path / "a.zip", [np.arange(192, dtype=np.uint8).reshape(8, 8, 3)], labels=[1])
    digest = hashlib.sha256((tmp_path / "a.zip").read_bytes()).hexdigest()
    assert digest == "8aa47bc4418fcdbc1195709ab458c38c2c8ccbfaf637bc1a579de917537a038d"


def test_vectors_and_grey_pictures(tmp_path: Path) -> None:
    write_archive(tmp_path / "a.zip", [noise(i, 8, 8) for i in range(2)], labels=[[0.5, 1], (2, 3)])
    data = DatasetZip(tmp_path / "a.zip")
    assert data.image_shape == (1, 8, 8)
    assert data.label(1).tolist() == [2, 3]


def _left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("failure", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_a_failure_leaves_what_was_there(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"old")
    with pytest.raises(failure), ArchiveWriter(path) as archive:
        archive.add(PICTURES[0])
        raise failure
    assert _left(tmp_path) == ["a.zip"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("call", [1, 3, 6])
def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    real, calls = zipfile.ZipFile.writestr, []

    def full(self: zipfile.ZipFile, *args: object) -> None:
        calls.append(args)
        if len(calls) == call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_archive(tmp_path / "a.zip", PICTURES)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "a.zip")
    assert _left(tmp_path) == []


OVERFLOW = """
import errno, resource, sys
import numpy as np
from stylegan.archive import write_archive
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    write_archive(sys.argv[1], [np.zeros((64, 64, 3), np.uint8)] * 20)
except OSError as error:
    sys.exit(0 if error.errno == errno.EFBIG and error.filename == sys.argv[1] else 1)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_a_file_that_cannot_grow_leaves_nothing_and_says_it_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OVERFLOW, str(tmp_path / "a.zip")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert _left(tmp_path) == []


def test_nothing_is_not_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no image"), ArchiveWriter(tmp_path / "a.zip"):
        pass
    assert _left(tmp_path) == []


@pytest.mark.parametrize("labels", [[0, None, 0], [0, [1.0], 0], [0, -1, 0]])
def test_labels_that_could_not_be_read_are_not_written(tmp_path: Path, labels: list[object]) -> None:
    with pytest.raises(ArchiveError, match="label"), ArchiveWriter(tmp_path / "a.zip") as archive:
        for label in labels:
            archive.add(PICTURES[0], label=label)  # type: ignore[arg-type]
    assert _left(tmp_path) == []


def test_a_zip_that_reads_back_wrong_is_not_kept(tmp_path: Path) -> None:
    message = r"not written.*img00000001\.png.*and 1 more"
    with pytest.raises(ArchiveError, match=message), ArchiveWriter(tmp_path / "a.zip") as archive:
        archive.add(PICTURES[0])
        archive.add_encoded(b"no picture")
        archive.add(noise(0, 32, 32, 3))
    assert _left(tmp_path) == []


def test_lengths_must_agree(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        write_archive(tmp_path / "a.zip", PICTURES, labels=[1])
    assert _left(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        write_archive(tmp_path / "file" / "a.zip", PICTURES)


def test_folders_are_made_and_progress_told(tmp_path: Path) -> None:
    path, seen = tmp_path / "new" / "a.zip", []
    with ArchiveWriter(path, progress=lambda *pair: seen.append(pair)) as archive:
        assert archive.add(PICTURES[0]) == "00000/img00000000.png"
        assert len(archive) == 1
    assert seen == [(1, 1)]
    assert check_archive(path) == []
