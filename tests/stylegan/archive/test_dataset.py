"""A data set as the training sees it: order, shapes, labels, mirrors, and one line for every fault."""

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stylegan.archive import DatasetZip, write_archive
from stylegan.archive.container import Container
from stylegan.errors import ArchiveError
from tests.stylegan.archive.zips import data_set, encoded, noise, sum_of, write_zip


def test_pictures_come_in_sorted_order_whatever_the_zip_s(tmp_path: Path) -> None:
    pictures = {f"{name}.png": encoded(noise(i, 8, 8, 3)) for i, name in enumerate(["b/2", "a/10", "a/9"])}
    data = DatasetZip(write_zip(tmp_path / "rocks.zip", pictures))
    assert data.names == ("a/10.png", "a/9.png", "b/2.png")
    assert np.array_equal(data.image(0), noise(1, 8, 8, 3).transpose(2, 0, 1))
    assert (data.name, data.resolution, data.num_channels, data.image_shape) == ("rocks", 8, 3, (3, 8, 8))
    assert (len(data), data.label_dim, data.has_labels) == (3, 0, False)
    image, label = data[2]
    assert (image.dtype, label.dtype, label.shape) == (np.uint8, np.float32, (0,))


def test_what_is_no_picture_is_passed_over(tmp_path: Path) -> None:
    members = {
        "readme.txt": b"hello",
        "__MACOSX/._a.png": b"junk",
        "x/._b.png": b"junk",
        "x/": b"",
        "x/a.PNG": encoded(noise(0, 8, 8, 3)),
        "x/b.JPG": encoded(noise(0, 8, 8, 3), "JPEG"),
    }
    assert DatasetZip(write_zip(tmp_path / "a.zip", members)).names == ("x/a.PNG", "x/b.JPG")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "bmp", "tiff"])
def test_zips_of_other_makers_are_read(tmp_path: Path, method: int, kind: str) -> None:
    flat = Image.new("RGB", (16, 16), (10, 120, 240))
    data = DatasetZip(write_zip(tmp_path / "a.zip", {f"a.{kind}": encoded(flat, kind)}, method))
    assert np.abs(data.image(0).mean((1, 2)) - [10, 120, 240]).max() < 3


def test_grey_pictures_have_one_channel(tmp_path: Path) -> None:
    data = DatasetZip(write_zip(tmp_path / "a.zip", {"a.png": encoded(noise(0, 8, 8))}))
    assert data.image_shape == (1, 8, 8)
    assert np.array_equal(data.image(0)[0], noise(0, 8, 8))


def test_xflip_appends_mirror_images(tmp_path: Path) -> None:
    path = data_set(tmp_path / "a.zip", 3, labels=[2, 0, 1])
    data, plain = DatasetZip(path, xflip=True), DatasetZip(path)
    assert len(data) == 6
    for i in range(3):
        assert np.array_equal(data.image(i), plain.image(i))
        assert np.array_equal(data.image(i + 3), plain.image(i)[:, :, ::-1])
        assert data.image(i + 3).flags.c_contiguous
        assert np.array_equal(data.label(i + 3), plain.label(i))


def test_max_images_are_spread_evenly(tmp_path: Path) -> None:
    path = data_set(tmp_path / "a.zip", 10, labels=list(range(10)))
    data = DatasetZip(path, max_images=4)
    assert [int(data.label(i).argmax()) for i in range(4)] == [0, 2, 5, 7]
    assert data.label_dim == 10
    assert len(DatasetZip(path, max_images=99)) == 10
    assert len(DatasetZip(path, max_images=4, xflip=True)) == 8
    with pytest.raises(ValueError, match="max_images"):
        DatasetZip(path, max_images=0)


def test_class_labels_become_one_hot(tmp_path: Path) -> None:
    data = DatasetZip(data_set(tmp_path / "a.zip", 3, labels=[3, 0, 1]))
    assert data.label_dim == 4
    assert data.label(0).tolist() == [0, 0, 0, 1]
    assert data[1][1].tolist() == [1, 0, 0, 0]


def test_vector_labels_stay_as_they_are(tmp_path: Path) -> None:
    data = DatasetZip(data_set(tmp_path / "a.zip", 2, labels=[[0.5, -1], [2, 0]]))
    assert data.label_dim == 2
    assert data.label(0).tolist() == [0.5, -1]
    data.label(0)[0] = 9
    assert data.label(0).tolist() == [0.5, -1]


def test_labels_can_be_left_aside(tmp_path: Path) -> None:
    path = data_set(tmp_path / "a.zip", 3, labels=[0, 1])
    assert DatasetZip(path, use_labels=False).label_dim == 0
    with pytest.raises(
        ArchiveError, match=r"a\.zip: dataset\.json: no label for 1 of 3 images: 00000/img00000002"
    ):
        DatasetZip(path)


def test_backslashes_in_label_names_are_tolerated(tmp_path: Path) -> None:
    metadata = json.dumps({"labels": [["a\\x.png", 1]]}).encode()
    path = write_zip(tmp_path / "a.zip", {"a/x.png": encoded(noise(0, 8, 8, 3)), "dataset.json": metadata})
    assert DatasetZip(path).label(0).tolist() == [0, 1]


def test_sources_are_aligned_with_names(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    write_archive(
        path, [noise(i, 8, 8, 3) for i in range(3)], sources=[{"creator": "Ana"}, {}, {"license": "cc0"}]
    )
    assert DatasetZip(path).sources == ({"creator": "Ana"}, {}, {"license": "cc0"})
    assert DatasetZip(path, max_images=1, xflip=True).sources == ({"creator": "Ana"},)
    assert DatasetZip(data_set(tmp_path / "b.zip")).sources == ({}, {}, {})


def test_indices_behave_as_a_sequence_s(tmp_path: Path) -> None:
    data = DatasetZip(data_set(tmp_path / "a.zip"))
    assert np.array_equal(data.image(-1), data.image(2))
    assert len(list(data)) == 3  # type: ignore[call-overload]
    for index in (np.int64(2), torch.tensor(2)):
        assert np.array_equal(data[index][0], data.image(2))
    with pytest.raises(TypeError, match="'slice' object cannot be interpreted as an integer"):
        data[:2]
    for index in (3, -4):
        with pytest.raises(IndexError):
            data[index]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of Python 3.12, where numpy runs threads
def test_one_object_serves_threads_forks_and_spawned_workers(tmp_path: Path) -> None:
    data = DatasetZip(data_set(tmp_path / "a.zip", 20, resolution=32), xflip=True)
    whole = sum_of(data)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(sum_of, [data] * 8)) == [whole] * 8
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(sum_of, (data,)) == whole
    if hasattr(os, "fork"):
        child = os.fork()
        if child == 0:
            os._exit(0 if sum_of(data) == whole else 1)
        assert sum_of(data) == whole
        assert os.waitpid(child, 0)[1] == 0


def test_pickles_are_small(tmp_path: Path) -> None:
    data = DatasetZip(data_set(tmp_path / "a.zip", 100))
    assert len(pickle.dumps(data)) < 100 * 120
    assert np.array_equal(pickle.loads(pickle.dumps(data)).image(50), data.image(50))


def test_opening_is_quick_and_reads_one_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [encoded(noise(i, 8, 8, 3)) for i in range(9)]
    path = write_zip(tmp_path / "a.zip", {f"{i:05d}.png": pictures[i % 9] for i in range(10_000)})
    read: list[str] = []
    real = Container.read_row

    def counted(self: Container, row: int) -> bytes:
        read.append(self.members.names.text(row))
        return real(self, row)

    monkeypatch.setattr(Container, "read_row", counted)
    start = time.process_time()
    DatasetZip(path)
    assert time.process_time() - start < 20  # decoding them all takes longer
    assert read == ["00000.png"]


def _png(*shape: int) -> bytes:
    return encoded(noise(0, *shape))


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"readme.txt": b"hi"}, "holds no pictures"),
        ({"a.png": _png(8, 16, 3)}, r"a\.png: 16×8 RGB: not square"),
        ({"a.png": _png(12, 12, 3)}, r"a\.png: 12×12 RGB: the side is not a power of two"),
        ({"a.png": _png(2, 2, 3)}, "power of two of at least 4"),
        ({"a.png": b"junk"}, r"a\.png: not a picture"),
        ({"a.png": encoded(Image.new("RGBA", (8, 8)))}, r"a\.png: 4 channels"),
        ({"a.png": encoded(Image.fromarray(np.zeros((8, 8), np.uint16)))}, r"a\.png: 16 bits"),
        ({"a.png": _png(8, 8, 3), "dataset.json": b"{"}, r"dataset\.json: not valid JSON"),
        ({"a.png": _png(8, 8, 3), "dataset.json": b"[1]"}, r"dataset\.json: must hold an object"),
        ({"a.png": _png(8, 8, 3), "dataset.json": b"[" * 100_000}, r"dataset\.json: not valid JSON"),
        ({"a.png": _png(8, 8, 3), "dataset.json": b'{"labels": 5}'}, "must be null or a list"),
        ({"a.png": _png(8, 8, 3), "dataset.json": b'{"labels": [["a.png"]]}'}, r"not a \[name, label\] pair"),
        ({"a.png": _png(8, 8, 3), "dataset.json": b'{"labels": [["a.png", "cat"]]}'}, "whole numbers"),
        ({"a.png": _png(8, 8, 3), "dataset.json": b'{"labels": [["a.png", -1]]}'}, "must lie in 0"),
        ({"a.png": _png(8, 8, 3), "dataset.json": b'{"labels": [["a.png", 999999999]]}'}, "must lie in 0"),
        ({"a.png": _png(8, 8, 3), "dataset.json": b'{"labels": [["a.png", [NaN]]]}'}, "finite"),
        ({"a.png": _png(8, 8, 3), "dataset.json": b'{"labels": [["a.png", []]]}'}, "vectors"),
        ({"a.png": _png(8, 8, 3), "dataset.json": b'{"labels": [["a.png", true]]}'}, "whole numbers"),
        ({"a.png": _png(8, 8, 3), "dataset.json": b'{"labels": []}'}, "no label for 1 of 1"),
    ],
)
def test_opening_tells_what_is_wrong(tmp_path: Path, members: dict[str, bytes], words: str) -> None:
    path = write_zip(tmp_path / "bad.zip", members)
    with pytest.raises(ArchiveError, match=words) as caught:
        DatasetZip(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("x.png", _png(16, 16, 3), "16×16 RGB, but the data set is 8×8 RGB"),
        ("x.png", _png(8, 8), "8×8 grey, but the data set is 8×8 RGB"),
        ("x.png", encoded(noise(0, 8, 8, 3))[:-30], "cannot be"),
        ("x.jpg", b"<html>", "not a picture"),
    ],
)
def test_reading_tells_what_is_wrong(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    path = data_set(tmp_path / "bad.zip", 1, **{name: data})
    opened = DatasetZip(path)
    opened.image(0)
    with pytest.raises(ArchiveError, match=words) as caught:
        opened.image(1)
    assert f"{path}: {name}: " in str(caught.value)


def test_names_of_mixed_labels_are_refused(tmp_path: Path) -> None:
    for labels in ([1, [1.0]], [[1.0], [1.0, 2.0]], [1.5, 2.5]):
        with pytest.raises(ArchiveError, match="labels must be all whole numbers"):
            DatasetZip(data_set(tmp_path / "a.zip", 2, labels=labels))


def test_it_needs_no_torch() -> None:
    code = "import sys, stylegan.archive; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
