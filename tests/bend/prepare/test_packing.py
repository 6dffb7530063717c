"""Whole packagings: bytes that do not depend on the workers, counts that add up, and nothing half-written."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
import pytest
from PIL import Image

from bend.errors import PackageError
from bend.prepare import PackageConfig, PackageReport, package
from stylegan.archive import DatasetZip, check_archive, write_archive
from tests.bend.prepare.pictures import photo, photos, quadrants
from tests.bend.prepare.videos import film
from tests.stylegan.archive.tars import samples, write_tar
from tests.stylegan.archive.zips import encoded, noise, write_zip


def _package(out: Path, *sources: Path, **settings: Any) -> PackageReport:
    return package(
        PackageConfig(**{"sources": sources, "out": out, "resolution": 16, "workers": 1} | settings)
    )


@pytest.mark.parametrize("crop", [pytest.param("center", marks=pytest.mark.slow), "tiles:4"])
def test_the_bytes_do_not_depend_on_the_workers(tmp_path: Path, crop: str) -> None:
    folder = photos(tmp_path / "in", 24)
    (folder / "005b.txt").write_text("no picture")
    (folder / "023z.jpg").write_bytes((folder / "001.jpg").read_bytes())
    outs = [tmp_path / f"{i}.zip" for i in range(3)]
    reports = [
        _package(out, folder, crop=crop, workers=workers)
        for out, workers in zip(outs, (1, 2, 3), strict=True)
    ]
    assert outs[0].read_bytes() == outs[1].read_bytes() == outs[2].read_bytes()
    assert reports[0].num_images == len(DatasetZip(outs[0])) == 24 * (4 if crop == "tiles:4" else 1)
    assert {reason: refusals.count for reason, refusals in reports[1].refused.items()} == {
        "not-an-image": 1,
        "duplicate": 1,
    }
    assert check_archive(outs[0]) == []


def test_pixels_and_provenance_arrive(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(encoded(quadrants(64, 32)))
    manifest = {"file": "a.png", "license": "cc0", "creator": "Ana", "page_url": "https://example.org/1"}
    (folder / "manifest.jsonl").write_text(json.dumps(manifest))
    report = _package(tmp_path / "a.zip", folder)
    data = DatasetZip(tmp_path / "a.zip")
    assert data.sources == (
        {
            "license": "cc0",
            "creator": "Ana",
            "page_url": "https://example.org/1",
            "parent": "a.png",
            "crop": [16, 0, 48, 32],
        },
    )
    wanted = (
        Image.fromarray(quadrants(64, 32)).crop((16, 0, 48, 32)).resize((16, 16), Image.Resampling.LANCZOS)
    )
    assert np.abs(data.image(0).transpose(1, 2, 0).astype(int) - np.asarray(wanted)).max() <= 2
    assert (report.num_images, report.num_used, report.num_found, report.refused) == (1, 1, 1, {})
    assert report.num_bytes == (tmp_path / "a.zip").stat().st_size


def test_every_tile_names_its_parent(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 3, width=200, height=150)
    _package(tmp_path / "a.zip", folder, crop="tiles:6")
    sources = DatasetZip(tmp_path / "a.zip").sources
    assert [source["parent"] for source in sources] == [f"{i:03d}.jpg" for i in range(3) for _ in range(6)]
    assert len({tuple(source["crop"]) for source in sources}) == 18


def test_refusals_are_counted_and_the_first_few_named(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 2)
    for i in range(5):
        (folder / f"cut{i}.png").write_bytes(encoded(noise(i, 64, 64, 3))[:4000])
    (folder / "page.jpg").write_text("<html>gone</html>")
    report = _package(tmp_path / "a.zip", folder)
    lines = report.lines()
    assert report.num_refused == 6
    assert lines[0].startswith(f"{tmp_path / 'a.zip'}: 2 images, 16×16 RGB, ")
    assert lines[0].endswith("from 2 of 8 pictures")
    assert lines[1:3] == [
        "  refused 6:",
        f"    truncated 5 ({', '.join(report.refused['truncated'].first)}, …)",
    ]
    assert "page.jpg: a web page" in lines[3]
    assert [first.split(":")[0] for first in report.refused["truncated"].first] == [
        "cut0.png",
        "cut1.png",
        "cut2.png",
    ]
    facts = json.loads(json.dumps(report.to_json()))
    assert facts["refused"]["truncated"]["count"] == 5
    assert facts["num_refused"] == 6


def test_if_nothing_can_be_used_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jpg").write_text("text")
    with pytest.raises(PackageError, match=r"no picture can be used: not-an-image 1 \(a\.jpg: a text file"):
        _package(tmp_path / "out" / "a.zip", folder)
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_is_overwritten_unless_forced(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 1)
    out = tmp_path / "a.zip"
    out.write_text("precious")
    with pytest.raises(PackageError, match="exists already; use --force"):
        _package(out, folder)
    assert out.read_text() == "precious"
    _package(out, folder, force=True)
    assert len(DatasetZip(out)) == 1
    (tmp_path / "b.zip").mkdir()
    with pytest.raises(PackageError, match="is a folder"):
        _package(tmp_path / "b.zip", folder, force=True)


def test_labels_from_folders(tmp_path: Path) -> None:
    root = tmp_path / "in"
    photos(root / "moss", 2)
    (photos(root / "bark", 1) / "z.jpg").write_text("no picture")
    for i, path in enumerate(sorted((root / "moss").iterdir())):
        path.write_bytes(encoded(photo(50 + i), "JPEG"))
    report = _package(tmp_path / "a.zip", root, labels_from_folders=True)
    data = DatasetZip(tmp_path / "a.zip")
    assert report.classes == {"bark": 1, "moss": 2}
    assert "  classes: 0 bark (1), 1 moss (2)" in report.lines()
    assert [int(data.label(i).argmax()) for i in range(3)] == [0, 1, 1]
    assert data.sources[0]["parent"] == "bark/000.jpg"


def test_labels_from_folders_of_a_zip_whose_own_labels_are_wrong(tmp_path: Path) -> None:
    pictures = {f"{name}.png": encoded(noise(i, 16, 16, 3)) for i, name in enumerate(("b/1", "a/2"))}
    path = write_zip(tmp_path / "a.zip", pictures | {"dataset.json": b'{"labels": [["b/1.png", "cat"]]}'})
    out = tmp_path / "out.zip"
    report = package(
        PackageConfig(sources=(path,), out=out, resolution=16, workers=1, labels_from_folders=True)
    )
    assert report.classes == {"a": 1, "b": 1}


def test_max_images_draws_at_random_and_makes_up_for_refusals(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 12)
    for i in range(6):
        (folder / f"x{i}.jpg").write_text("no picture")
    reports = [
        _package(tmp_path / f"{seed}{workers}.zip", folder, max_images=8, seed=seed, workers=workers)
        for seed, workers in ((0, 1), (0, 2), (1, 1))
    ]
    drawn = [[source["parent"] for source in DatasetZip(report.out).sources] for report in reports]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == 8
    first = reports[0]
    assert first.num_used + first.num_refused + first.num_not_needed == first.num_found == 18


def test_max_images_may_end_amid_a_photo_s_tiles(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 3, width=200, height=150)
    report = _package(tmp_path / "a.zip", folder, crop="tiles:4", max_images=6)
    assert (report.num_images, report.num_used, report.num_not_needed) == (6, 2, 1)


def test_near_duplicates_are_dropped_if_asked(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    image = photo(0, 160, 120)
    (folder / "a.png").write_bytes(encoded(image))
    (folder / "b.jpg").write_bytes(encoded(image.resize((120, 90)), "JPEG", quality=70))
    (folder / "c.png").write_bytes(encoded(photo(1, 160, 120)))
    assert _package(tmp_path / "1.zip", folder).num_images == 3
    report = _package(tmp_path / "2.zip", folder, dedupe="near")
    assert report.refused["duplicate"].first == ["b.jpg: the same as a.png"]


def test_a_data_set_can_be_packaged_again(tmp_path: Path) -> None:
    old = tmp_path / "old.zip"
    sources = [{"creator": f"c{i}", "parent": f"p{i}", "crop": [1, 2, 3, 4]} for i in range(4)]
    write_archive(old, [noise(i, 64, 64, 3) for i in range(4)], labels=[1, 0, 2, 1], sources=sources)
    _package(tmp_path / "new.zip", old, resolution=32, colour="grey")
    data = DatasetZip(tmp_path / "new.zip")
    assert data.image_shape == (1, 32, 32)
    assert [int(data.label(i).argmax()) for i in range(4)] == [1, 0, 2, 1]
    assert data.sources == tuple({"creator": f"c{i}", "parent": f"p{i}"} for i in range(4))
    report = _package(tmp_path / "mixed.zip", old, photos(tmp_path / "in", 1))
    assert report.notes["labels-dropped"] == 1
    assert not DatasetZip(report.out).has_labels


@pytest.mark.parametrize("labels", [[2, 0, 1], [[0.5, -1.0], [0.0, 2.25], [1.0, 1.0]]])
def test_labels_of_other_makers_are_carried_over(tmp_path: Path, labels: list[Any]) -> None:
    names = [f"00000\\img{i:08d}.png" for i in range(3)]  # as Windows tools wrote them
    members = {name.replace("\\", "/"): encoded(noise(i, 32, 32, 3)) for i, name in enumerate(names)}
    metadata = {"labels": [list(pair) for pair in zip(names, labels, strict=True)]}
    old = write_zip(
        tmp_path / "old.zip", members | {"dataset.json": json.dumps(metadata).encode()}, ZIP_DEFLATED
    )
    _package(tmp_path / "new.zip", old)
    before, after = DatasetZip(old), DatasetZip(tmp_path / "new.zip")
    assert after.label_dim == len(set(map(str, labels))) if isinstance(labels[0], int) else 2
    assert all(np.array_equal(before.label(i), after.label(i)) for i in range(3))


@pytest.mark.parametrize("colour", ["rgb", "grey"])
@pytest.mark.parametrize("crop", ["center", "fit", "tiles:2"])
def test_what_is_written_keeps_the_official_rules(tmp_path: Path, colour: str, crop: str) -> None:
    root = tmp_path / "in"
    for number, name in enumerate(("bark", "moss", "scree")):
        (root / name).mkdir(parents=True)
        (root / name / "a.png").write_bytes(encoded(photo(number, 150, 90 + 40 * number)))
    settings = {"crop": crop, "colour": colour, "labels_from_folders": True, "background": "#203040"}
    _package(tmp_path / "a.zip", root, **settings)
    with ZipFile(tmp_path / "a.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        pictures = [np.asarray(Image.open(archive.open(name))) for name in names]
        labels = dict(json.loads(archive.read("dataset.json"))["labels"])
        assert all(info.compress_type == ZIP_STORED for info in archive.infolist())
    assert {picture.shape for picture in pictures} == {(16, 16, 3) if colour == "rgb" else (16, 16)}
    assert {picture.dtype for picture in pictures} == {np.dtype(np.uint8)}
    assert [labels[name] for name in names] == [number for number in range(3) for _ in names[::3]]
    if crop == "fit" and colour == "rgb":
        assert pictures[0][0, 8].tolist() == [0x20, 0x30, 0x40]


def test_a_zip_can_be_replaced_by_its_own_repackaging(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    write_archive(path, [noise(i, 64, 64, 3) for i in range(4)])
    _package(path, path, resolution=32, force=True)
    assert DatasetZip(path).resolution == 32


def test_an_output_inside_its_source_is_not_its_own_source(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 2)
    assert _package(folder / "a.zip", folder).num_found == 2
    assert _package(folder / "a.zip", folder, force=True).refused["not-an-image"].count == 1


@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError])
def test_an_interruption_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    folder = photos(tmp_path / "in", 4)
    calls = []

    def stop(*_: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise failure

    monkeypatch.setattr("bend.prepare.shelves._source", stop)
    with pytest.raises(failure):
        _package(tmp_path / "out" / "a.zip", folder)
    assert os.listdir(tmp_path / "out") == []  # noqa: PTH208  dot files included


PACKAGE_AND_MEASURE = """
import resource, sys
from pathlib import Path
from bend.prepare import PackageConfig, package
settings = {"resolution": 128, "workers": 2, "max_images": int(sys.argv[2]), "every": 0.001, "dedupe": "none"}
package(PackageConfig(sources=tuple(map(Path, sys.argv[3:])), out=Path(sys.argv[1]), min_size=16, **settings))
print(*(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
"""


def _peaks(out: Path, max_images: int, *sources: Path) -> list[float]:
    """Peak memory of the packaging process and of its largest worker, in MiB."""
    words = ["-c", PACKAGE_AND_MEASURE, str(out), str(max_images), *map(str, sources)]
    done = subprocess.run([sys.executable, *words], check=True, capture_output=True, text=True)
    return [int(word) / 1024 for word in done.stdout.split()]


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 1, width=640, height=480)
    data = (folder / "000.jpg").read_bytes()
    for i in range(3000):
        (folder / f"{i:05d}.jpg").write_bytes(data + b"%d" % i)
    few, many = (_peaks(tmp_path / f"{count}.zip", count, folder) for count in (300, 3000))
    assert (tmp_path / "3000.zip").stat().st_size > 140e6
    assert max(many[0] - few[0], many[1] - few[1]) < 25


@pytest.mark.slow
def test_memory_stays_flat_however_long_a_video_is(tmp_path: Path) -> None:
    peaks = []
    for num_seconds in (30, 300):
        videos = [film(tmp_path / f"{num_seconds}{name}.mp4", num_seconds) for name in "ab"]
        out = tmp_path / f"{num_seconds}.zip"
        peaks.append(_peaks(out, 10**6, *videos))
        assert out.stat().st_size > 2 * 10 * num_seconds * 128 * 128 * 3
    assert peaks[1][0] - peaks[0][0] < 40  # what the zip's directory and `dataset.json` need
    assert peaks[1][1] - peaks[0][1] < 10


@pytest.mark.parametrize("ending", ["tar", "tar.gz"])
def test_a_webdataset_shard_becomes_a_data_set(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "cache"))
    members = samples(0, 5, classes=2, resolution=24)
    path = write_tar(tmp_path / f"a.{ending}", members, mode="w:gz" if ending == "tar.gz" else "w")
    package(PackageConfig(sources=(path,), out=tmp_path / "a.zip", resolution=16))
    data = DatasetZip(tmp_path / "a.zip")
    assert (len(data), data.resolution) == (5, 16)
    assert [int(data.label(i).argmax()) for i in range(5)] == [0, 1, 0, 1, 0]
    assert [source["parent"] for source in data.sources] == [f"{i:06d}.png" for i in range(5)]
