"""One source to its training images, in one process: refusals as records, notes, and places of tiles."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bend.prepare import PackageConfig
from bend.prepare.discover import SourcePicture
from bend.prepare.pieces import Prepared, prepare
from tests.bend.prepare.pictures import photo, quadrants
from tests.fakes.pictures import claiming_png
from tests.stylegan.archive.zips import encoded, noise, write_zip


def _prepare(path: Path, data: bytes | None = None, member: str | None = None, **settings: Any) -> Prepared:
    if data is not None:
        path.write_bytes(data)
    config = PackageConfig(**{"sources": (path,), "out": Path("o.zip"), "resolution": 16} | settings)
    return prepare(SourcePicture(name=path.name, path=path, member=member), config)


def _pixels(prepared: Prepared, index: int = 0) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(prepared.pieces[index].png)))


def test_a_picture_becomes_one_image(tmp_path: Path) -> None:
    prepared = _prepare(tmp_path / "a.png", encoded(quadrants(32, 32)))
    assert (prepared.reason, prepared.notes, len(prepared.pieces)) == (None, (), 1)
    assert prepared.pieces[0].box == (0, 0, 32, 32)
    assert _pixels(prepared).shape == (16, 16, 3)
    assert np.abs(_pixels(prepared)[3, 3].astype(int) - quadrants()[0, 0]).max() <= 6


def test_grey_is_one_channel(tmp_path: Path) -> None:
    assert _pixels(_prepare(tmp_path / "a.png", encoded(quadrants()), colour="grey")).shape == (16, 16)


def test_tiles_depend_on_seed_and_name_alone(tmp_path: Path) -> None:
    data = encoded(photo(0, 200, 150), "JPEG")
    first = _prepare(tmp_path / "a.jpg", data, crop="tiles:5")
    assert len(first.pieces) == 5
    assert first == _prepare(tmp_path / "a.jpg", data, crop="tiles:5", workers=7)
    assert first.pieces != _prepare(tmp_path / "b.jpg", data, crop="tiles:5").pieces
    assert first.pieces != _prepare(tmp_path / "a.jpg", data, crop="tiles:5", seed=1).pieces


def test_notes_say_what_was_done(tmp_path: Path) -> None:
    assert _prepare(tmp_path / "s.png", encoded(noise(0, 12, 12, 3))).notes == ("enlarged",)
    few = _prepare(tmp_path / "t.png", encoded(noise(0, 20, 20, 3)), crop="tiles:30")
    assert few.notes == ("fewer-tiles",)
    assert 1 <= len(few.pieces) < 30
    assert _prepare(tmp_path / "i.png", encoded(quadrants(), icc_profile=b"x")).notes == ("bad-icc",)


@pytest.mark.parametrize(
    ("data", "settings", "reason"),
    [
        (b"text", {}, "not-an-image"),
        (claiming_png(50_000, 50_000), {}, "too-many-pixels"),
        (encoded(noise(0, 64, 64, 3))[:5000], {}, "truncated"),
        (encoded(noise(0, 7, 40, 3)), {}, "too-small"),
        (encoded(noise(0, 20, 20, 3)), {"min_size": 21}, "too-small"),
        (encoded(noise(0, 20, 30, 3)), {"max_aspect": 1.4}, "aspect"),
        (encoded(noise(0, 30, 20, 3)), {"min_aspect": 0.7}, "aspect"),
        (encoded(Image.new("RGB", (64, 64), 7)), {"crop": "tiles:3"}, "flat"),
    ],
)
def test_refusals_are_records(tmp_path: Path, data: bytes, settings: dict[str, Any], reason: str) -> None:
    prepared = _prepare(tmp_path / "a.png", data, **settings)
    assert (prepared.reason, prepared.pieces) == (reason, ())
    assert prepared.message


def test_aspects_at_the_limits_are_kept(tmp_path: Path) -> None:
    limits = {"min_aspect": 1.5, "max_aspect": 1.5}
    assert _prepare(tmp_path / "a.png", encoded(noise(0, 20, 30, 3)), **limits).reason is None


def test_files_that_cannot_be_read_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _prepare(tmp_path / "gone.png").reason == "unreadable"
    (tmp_path / "folder.png").mkdir()
    assert _prepare(tmp_path / "folder.png").reason == "unreadable"
    monkeypatch.setattr("bend.prepare.pieces.MAX_FILE_BYTES", 100)
    assert _prepare(tmp_path / "big.png", encoded(quadrants())).reason == "too-many-bytes"


def test_members_of_zips_are_read_and_a_replaced_zip_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for i in range(2):
        pixels = noise(i, 16, 16, 3)
        write_zip(path, {"x": b"" * i, "a.png": encoded(pixels), "b.png": b"text"})
        assert np.array_equal(_pixels(_prepare(path, member="a.png")), pixels)
    assert _prepare(path, member="b.png").reason == "not-an-image"
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    assert _prepare(path, member="a.png").reason == "damaged"


def test_hashes_are_taken_only_where_asked_for(tmp_path: Path) -> None:
    data = encoded(photo(0))
    kinds = {kind: _prepare(tmp_path / "a.png", data, dedupe=kind) for kind in ("none", "exact", "near")}
    known = {kind: (each.digest is not None, each.looks is not None) for kind, each in kinds.items()}
    assert known == {"none": (False, False), "exact": (True, False), "near": (True, True)}
