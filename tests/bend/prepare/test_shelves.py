"""What goes to which zip: splits, videos among pictures, and zips that all appear or none."""

import itertools
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bend.errors import PackageError
from bend.prepare import PackageConfig, PackageReport, package
from stylegan.archive import DatasetZip, check_archive, write_archive
from tests.bend.prepare.pictures import photo, photos
from tests.bend.prepare.videos import cut, film, scene, write_video
from tests.stylegan.archive.zips import encoded, noise


def _package(out: Path, *sources: Path, **settings: Any) -> PackageReport:
    return package(
        PackageConfig(**{"sources": sources, "out": out, "resolution": 16, "workers": 1} | settings)
    )


def _parents(path: Path) -> set[str]:
    return {source["parent"] for source in DatasetZip(path).sources}


def _all_files(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208  dot files included


def test_a_share_of_the_parents_goes_to_a_second_zip(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 30, width=200, height=150)
    out, test = tmp_path / "out" / "a.zip", tmp_path / "out" / "a-test.zip"
    report = _package(out, folder, crop="tiles:3", split=("test:0.3",))
    assert _all_files(out.parent) == ["a-test.zip", "a.zip"]
    assert check_archive(out) == check_archive(test) == []
    assert _parents(out) | _parents(test) == {f"{i:03d}.jpg" for i in range(30)}
    assert not _parents(out) & _parents(test)
    part = report.splits["test"]
    assert (part.num_images, part.num_used) == (len(DatasetZip(test)), len(_parents(test)))
    assert report.num_images == len(DatasetZip(out)) > part.num_images
    assert report.num_used == 30
    assert 3 <= part.num_used <= 16
    assert report.lines()[1] == (
        f"  {test}: {part.num_images} images, {part.num_bytes / 1e6:.1f} MB, from {part.num_used} of them"
    )
    facts = json.loads(json.dumps(report.to_json()))
    assert facts["splits"]["test"]["out"] == str(test)


def test_adding_renaming_and_workers_move_nothing_across(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 24)
    for name, settings in (("1", {"workers": 1}), ("2", {"workers": 3})):
        _package(tmp_path / f"{name}.zip", folder, split=("test:0.4",), **settings)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    assert (tmp_path / "1-test.zip").read_bytes() == (tmp_path / "2-test.zip").read_bytes()
    before = _parents(tmp_path / "1-test.zip")
    for path in list(folder.iterdir()):
        path.rename(folder / f"renamed-{path.name}")
    for i in range(24, 48):
        (folder / f"{i:03d}.jpg").write_bytes(encoded(photo(i), "JPEG"))
    _package(tmp_path / "3.zip", folder, split=("test:0.4",))
    renamed = {name for name in _parents(tmp_path / "3-test.zip") if name.startswith("renamed-")}
    assert renamed == {f"renamed-{name}" for name in before}
    _package(tmp_path / "4.zip", folder, split=("test:0.4",), seed=1)
    assert _parents(tmp_path / "4-test.zip") != _parents(tmp_path / "3-test.zip")


def test_lookalikes_stay_together(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 12, width=160, height=120)
    for path in list(folder.iterdir()):
        with Image.open(path) as image:
            copy = image.resize((120, 90))
        (folder / f"{path.stem}-small.jpg").write_bytes(encoded(copy, "JPEG", quality=70))
    _package(tmp_path / "a.zip", folder, split=("test:0.5",))
    for path in (tmp_path / "a.zip", tmp_path / "a-test.zip"):
        stems = [name.removesuffix(".jpg").removesuffix("-small") for name in _parents(path)]
        assert all(stems.count(stem) == 2 for stem in stems)


def test_one_that_looks_like_both_sides_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = photos(tmp_path / "in", 14)
    _package(tmp_path / "a.zip", folder, split=("test:0.5",))
    sides = [_parents(tmp_path / "a.zip"), _parents(tmp_path / "a-test.zip")]
    looks = {name: (0b000000, 0b111111)[side] for side in (0, 1) for name in sides[side]}
    (folder / "x.jpg").write_bytes(encoded(photo(99), "JPEG"))
    names = iter([*sorted(looks), "x.jpg"])
    monkeypatch.setattr("bend.prepare.pieces.difference_hash", lambda _: looks.get(next(names), 0b000111))
    report = _package(tmp_path / "b.zip", folder, split=("test:0.5",))
    assert report.refused["torn"].first == ["x.jpg: looks like pictures on both sides of the split"]
    assert [_parents(tmp_path / "b.zip"), _parents(tmp_path / "b-test.zip")] == sides


def test_tiles_cut_before_stay_with_their_parent(tmp_path: Path) -> None:
    old = tmp_path / "old.zip"
    sources = [{"parent": f"p{i // 4}"} for i in range(40)]
    write_archive(old, [noise(i, 32, 32, 3) for i in range(40)], sources=sources)
    _package(tmp_path / "a.zip", old, split=("test:0.5",))
    main, test = _parents(tmp_path / "a.zip"), _parents(tmp_path / "a-test.zip")
    assert (len(main) + len(test), main & test) == (10, set())


def test_several_splits(tmp_path: Path) -> None:
    report = _package(tmp_path / "a.zip", photos(tmp_path / "in", 40), split=("val:0.3", "test:0.3"))
    assert list(report.splits) == ["val", "test"]
    assert report.num_images + sum(part.num_images for part in report.splits.values()) == 40


def test_labels_that_do_not_fit_one_another_are_noted(tmp_path: Path) -> None:
    root = tmp_path / "in"
    photos(root / "bark", 12)
    (root / "moss").mkdir()
    (root / "moss" / "a.png").write_bytes(encoded(photo(77)))
    report = _package(tmp_path / "a.zip", root, labels_from_folders=True, split=("test:0.5",))
    assert report.classes == {"bark": 12, "moss": 1}
    assert report.notes["split-classes"] == 1


def test_an_empty_side_is_told_and_nothing_written(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 2)
    out = tmp_path / "out" / "a.zip"
    with pytest.raises(PackageError, match=r"--split test:0\.000001: none of the 2 pictures fell to it"):
        _package(out, folder, split=("test:0.000001",))
    with pytest.raises(PackageError, match=r"a\.zip: with this --split, none of the 2 pictures"):
        _package(out, folder, split=("test:0.999999",))
    assert _all_files(out.parent) == []


def test_neither_zip_is_overwritten_unless_forced(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 12)
    test = tmp_path / "a-test.zip"
    test.write_text("precious")
    with pytest.raises(PackageError, match=r"a-test\.zip: exists already; use --force"):
        _package(tmp_path / "a.zip", folder, split=("test:0.5",))
    assert (test.read_text(), (tmp_path / "a.zip").exists()) == ("precious", False)
    _package(tmp_path / "a.zip", folder, split=("test:0.5",), force=True)
    assert len(DatasetZip(test)) + len(DatasetZip(tmp_path / "a.zip")) == 12


@pytest.mark.parametrize("failing", ["a.zip", "a-test.zip"])
def test_if_one_cannot_get_its_name_the_other_does_not_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    folder = photos(tmp_path / "in", 12)
    replace = Path.replace

    def fail(path: Path, target: Path) -> Path:
        if target.name == failing:
            raise OSError(5, "Input/output error", str(target))
        return replace(path, target)

    link = Path.hardlink_to

    def fail_to_link(path: Path, target: Path) -> None:
        if path.name == failing:
            raise OSError(5, "Input/output error", str(path))
        link(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    monkeypatch.setattr(Path, "hardlink_to", fail_to_link)
    with pytest.raises(OSError, match="Input/output error"):
        _package(tmp_path / "out" / "a.zip", folder, split=("test:0.5",))
    assert _all_files(tmp_path / "out") == []


def test_videos_and_pictures_go_together(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 9)
    film(folder / "004b.mp4")
    cut(film(folder / "005b.MKV", first=10), 0.5)
    outs = [tmp_path / "out" / f"{workers}.zip" for workers in (1, 3)]
    reports = [_package(out, folder, workers=int(out.stem)) for out in outs]
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert _all_files(tmp_path / "out") == ["1.zip", "3.zip"]
    report = reports[0]
    assert (report.num_found, report.num_used, report.num_frames, report.num_images) == (11, 10, 4, 13)
    assert "  4 frames of videos" in report.lines()
    assert report.refused["truncated"].first[0].startswith("005b.MKV: ends after ")
    data = DatasetZip(outs[0])
    assert data.sources[5:9] == tuple(
        {"parent": "004b.mp4", "crop": [8, 0, 56, 48], "time": float(second)} for second in range(4)
    )
    wanted = Image.fromarray(scene(2)).crop((8, 0, 56, 48)).resize((16, 16), Image.Resampling.LANCZOS)
    assert np.abs(data.image(7).transpose(1, 2, 0).astype(int) - np.asarray(wanted)).mean() < 8


def test_frames_keep_their_video_s_origin_label_and_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = itertools.cycle([0, 1, 0])
    monkeypatch.setattr("bend.prepare.split.Splitter._draw", lambda *_: next(sides))
    root = tmp_path / "in"
    for number, name in enumerate(("bark/a", "bark/b", "moss/c", "moss/d")):
        film(root / f"{name}.mp4", 3, first=5 * number)
    (root / "manifest.jsonl").write_text(json.dumps({"file": "moss/c.mp4", "creator": "Cy"}))
    report = _package(tmp_path / "a.zip", root, labels_from_folders=True, split=("test:0.5",))
    main, test = DatasetZip(tmp_path / "a.zip"), DatasetZip(tmp_path / "a-test.zip")
    assert _parents(test.path) == {"bark/b.mp4"}
    assert len(main) + len(test) == report.num_frames == 12
    assert report.classes == {"bark": 6, "moss": 6}
    credited = [source for source in main.sources + test.sources if source.get("creator") == "Cy"]
    assert [source["parent"] for source in credited] == ["moss/c.mp4"] * 3


def test_repeated_frames_go_the_way_of_repeated_pictures(tmp_path: Path) -> None:
    frames = [scene(0)] * 20 + [scene(1)] * 10
    still = write_video(tmp_path / "in" / "still.mp4", frames)
    kept = {kind: _package(tmp_path / f"{kind}.zip", still, dedupe=kind) for kind in ("none", "near")}
    assert (kept["none"].num_frames, kept["near"].num_frames) == (3, 2)
    assert kept["near"].notes["same-frames"] == 1
    film(tmp_path / "in" / "z.mp4", 2)
    again = _package(tmp_path / "again.zip", tmp_path / "in", dedupe="near")
    (first,) = again.refused["duplicate"].first
    assert first.startswith("z.mp4: every frame the same as an earlier one, such as still.mp4 at ")
    (tmp_path / "in" / "z.mp4").write_bytes(still.read_bytes())
    twice = _package(tmp_path / "twice.zip", tmp_path / "in")
    assert twice.refused["duplicate"].first == ["z.mp4: the same as still.mp4"]


def test_max_images_may_end_amid_a_video(tmp_path: Path) -> None:
    report = _package(tmp_path / "a.zip", film(tmp_path / "in" / "a.mp4", 5), max_images=3)
    assert (report.num_images, report.num_used, report.num_not_needed) == (3, 1, 0)
    assert _all_files(tmp_path) == ["a.zip", "in"]


def test_videos_in_zips_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", encoded(noise(0, 32, 32, 3)))
        archive.writestr("clips/b.mp4", b"\0\0\0 ftyp")
    report = _package(tmp_path / "a.zip", path)
    assert report.refused["video-in-zip"].first == [
        "clips/b.mp4: a video inside a zip; unpack the zip and name its folder"
    ]
