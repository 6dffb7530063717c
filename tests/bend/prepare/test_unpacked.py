"""A data set unpacked into a folder, sifted and packaged again."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from bend.prepare.config import PackageConfig
from bend.prepare.discover import discover
from bend.prepare.packing import package
from bend.prepare.unpacked import read_unpacked
from stylegan.archive import DatasetZip, write_archive
from tests.stylegan.archive.zips import noise


def test_labels_and_origins_stay_with_what_is_kept(tmp_path: Path) -> None:
    sources = [{"creator": f"c{i}", "parent": f"p{i}", "crop": [1, 2, 3, 4]} for i in range(4)]
    old, folder = tmp_path / "old.zip", tmp_path / "folder"
    write_archive(old, [noise(i, 32, 32, 3) for i in range(4)], labels=[1, 0, 2, 1], sources=sources)
    with zipfile.ZipFile(old) as file:
        file.extractall(folder)
    (folder / "00000" / "img00000001.png").unlink()
    report = package(PackageConfig(sources=(folder,), out=tmp_path / "new.zip", resolution=16, workers=1))
    assert (report.num_images, report.refused, report.notes) == (3, {}, {})
    data = DatasetZip(report.out)
    assert [int(data.label(i).argmax()) for i in range(3)] == [1, 2, 1]
    assert data.sources == tuple({"creator": f"c{i}", "parent": f"p{i}"} for i in (0, 2, 3))


@pytest.mark.parametrize("is_zipped", [False, True])
def test_they_stay_in_a_folder_below_and_when_that_is_zipped(tmp_path: Path, is_zipped: bool) -> None:
    old = tmp_path / "old.zip"
    write_archive(
        old,
        [noise(i, 16, 16, 3) for i in range(2)],
        labels=[1, 0],
        sources=[{"creator": f"c{i}"} for i in (0, 1)],
    )
    source = tmp_path / "sets"
    with zipfile.ZipFile(old) as file:
        file.extractall(source / "rocks")
    if is_zipped:
        source = Path(shutil.make_archive(str(tmp_path / "sets"), "zip", source))
    report = package(PackageConfig(sources=(source,), out=tmp_path / "new.zip", resolution=16, workers=1))
    assert (report.num_images, report.refused, report.notes) == (2, {}, {})
    data = DatasetZip(report.out)
    assert [int(data.label(i).argmax()) for i in (0, 1)] == [1, 0]
    assert [entry["creator"] for entry in data.sources] == ["c0", "c1"]


@pytest.mark.parametrize("content", ["", "[1, 2]", '{"images": []}', '{"labels": 7}', "[" * 100_000])
def test_other_files_of_that_name_are_none_of_a_data_set_s(tmp_path: Path, content: str) -> None:
    (tmp_path / "dataset.json").write_text(content)
    assert read_unpacked(tmp_path) is None
    assert [picture.name for picture in discover((tmp_path,)).pictures] == ["dataset.json"]


def test_pairs_that_are_none_are_passed_over(tmp_path: Path) -> None:
    pairs = [["a\\b.png", 1], ["c.png", [0.5, 1]], ["d.png", "cat"], ["e.png"], 7, ["f.png", [None]]]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": pairs, "sources": {"c.png": 3}}))
    found = read_unpacked(tmp_path)
    assert found is not None
    assert (found.labels, found.origins) == ({"a/b.png": 1, "c.png": [0.5, 1]}, {})


def test_a_pipe_of_that_name_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "dataset.json")
    assert read_unpacked(tmp_path) is None
