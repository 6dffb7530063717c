"""A video as one piece of work: its frames in a file, in order, or a refusal and no file."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bend.prepare import PackageConfig
from bend.prepare.discover import SourcePicture
from bend.prepare.films import prepare_source
from bend.prepare.pieces import Prepared
from bend.prepare.records import read_frames
from tests.bend.prepare.pictures import quadrants
from tests.bend.prepare.videos import cut, film, scene, write_video
from tests.stylegan.archive.zips import encoded


def _prepare(path: Path, scratch: Path, member: str | None = None, **settings: Any) -> Prepared:
    scratch.mkdir(exist_ok=True)
    config = PackageConfig(**{"sources": (path,), "out": Path("o.zip"), "resolution": 16} | settings)
    return prepare_source(SourcePicture(name=path.name, path=path, member=member), config, scratch)


def _frames(prepared: Prepared) -> list[Prepared]:
    assert prepared.frames is not None, prepared.message
    return list(read_frames(prepared.frames))


def test_frames_wait_in_a_file_that_goes_once_read(tmp_path: Path) -> None:
    prepared = _prepare(film(tmp_path / "a.mp4"), tmp_path / "scratch")
    assert (prepared.reason, prepared.pieces, prepared.notes) == (None, (), ())
    assert len(list((tmp_path / "scratch").iterdir())) == 1
    frames = _frames(prepared)
    assert list((tmp_path / "scratch").iterdir()) == []
    assert [frame.time_s for frame in frames] == [0, 1, 2, 3]
    assert len({frame.digest for frame in frames}) == 4
    for number, frame in enumerate(frames):
        (piece,) = frame.pieces
        assert piece.box == (8, 0, 56, 48)
        wanted = Image.fromarray(scene(number)).crop(piece.box).resize((16, 16), Image.Resampling.LANCZOS)
        pixels = np.asarray(Image.open(io.BytesIO(piece.png))).astype(int)
        assert np.abs(pixels - np.asarray(wanted)).mean() < 8


def test_tiles_lie_elsewhere_in_every_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", [scene(0, 160, 120)] * 30)
    frames = _frames(_prepare(path, tmp_path / "scratch", crop="tiles:3"))
    boxes = [tuple(piece.box for piece in frame.pieces) for frame in frames]
    assert [len(each) for each in boxes] == [3, 3, 3]
    assert len(set(boxes)) == 3


def test_frames_without_detail_are_left_out(tmp_path: Path) -> None:
    grey = np.full((48, 64, 3), 90, np.uint8)
    path = write_video(tmp_path / "a.mp4", [grey] * 10 + [scene(0)] * 10)
    prepared = _prepare(path, tmp_path / "scratch", crop="tiles:2")
    assert prepared.notes == ("flat-frames",)
    assert [frame.time_s for frame in _frames(prepared)] == [1.0]
    path = write_video(tmp_path / "b.mp4", [grey] * 10)
    assert _prepare(path, tmp_path / "scratch", crop="tiles:2").reason == "flat"


def test_hashes_are_taken_only_where_asked_for(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", 2)
    kinds: dict[str, dict[str, Any]] = {
        "none": {"dedupe": "none"},
        "exact": {},
        "near": {"dedupe": "near"},
        "split": {"dedupe": "none", "split": ("test:0.1",)},
    }
    found = {kind: _prepare(path, tmp_path / "scratch", **settings) for kind, settings in kinds.items()}
    assert [kind for kind in kinds if found[kind].digest] == ["exact", "near", "split"]
    assert [kind for kind in kinds if len(found[kind].all_looks) == 2] == ["near", "split"]
    assert [kind for kind in kinds if _frames(found[kind])[0].digest] == ["exact", "near"]


@pytest.mark.parametrize(
    ("name", "share", "member", "settings", "reason"),
    [
        ("a.mkv", 0.5, None, {}, "truncated"),
        ("a.mkv", 1, "b/c.MP4", {}, "video-in-zip"),
        ("a.mkv", 1, None, {"min_size": 49}, "too-small"),
        ("a.mkv", 1, None, {"max_aspect": 1.3}, "aspect"),
    ],
)
def test_refusals_are_records_and_leave_no_file(
    tmp_path: Path, name: str, share: float, member: str | None, settings: dict[str, Any], reason: str
) -> None:
    path = cut(film(tmp_path / name), share)
    prepared = _prepare(path, tmp_path / "scratch", member, **settings)
    assert (prepared.reason, prepared.frames) == (reason, None)
    assert prepared.message
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_missing_video_is_refused(tmp_path: Path) -> None:
    assert _prepare(tmp_path / "gone.mp4", tmp_path / "scratch").reason == "unreadable"


def test_a_full_disk_is_no_fault_of_the_video_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bend.prepare.films.encoded", fail)
    prepared = _prepare(film(tmp_path / "a.mp4", 1), tmp_path / "scratch")
    assert prepared.failure is not None
    assert prepared.failure.errno == 28
    assert list((tmp_path / "scratch").iterdir()) == []


def test_pictures_go_the_usual_way(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(quadrants()))
    assert len(_prepare(tmp_path / "a.png", tmp_path / "scratch").pieces) == 1
