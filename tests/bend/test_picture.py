"""Stills: pixels and note come back, formats know their limits, and what is there is not lost."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bend.errors import RenderError
from bend.picture import (
    check_picture_output,
    data_url,
    encode_webp,
    enlarge,
    is_picture,
    missing,
    save_picture,
)
from bend.provenance import Provenance, png_is_whole, read_provenance

NOTE = Provenance(
    work={"seed": 3}, network="net", network_sha256="00", command="bend render images --seeds 3"
)


def picture(height: int = 12, width: int = 20) -> np.ndarray:
    return np.random.RandomState(0).randint(0, 256, [height, width, 3], dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp"])
def test_note_is_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    smooth = np.tile(np.linspace(0, 255, 20, dtype=np.uint8)[None, :, None], (12, 1, 3))
    save_picture(path, smooth, NOTE)
    assert read_provenance(path) == NOTE
    with Image.open(path) as image:
        assert image.size == (20, 12)
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - smooth).max() < 12
    assert list(tmp_path.iterdir()) == [path]


def test_png_is_exact_and_deterministic(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save_picture(tmp_path / name, picture(), NOTE)
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(np.asarray(image), picture())
        assert image.text["bend"] == NOTE.to_json()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_cut_png_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save_picture(path, picture(), NOTE)
    assert png_is_whole(path)
    data = path.read_bytes()
    for length in (len(data) - 1, len(data) - 12, len(data) // 2, 20):
        path.write_bytes(data[:length])
        assert not png_is_whole(path), length


def test_formats_refuse_what_they_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"\.tif is not a picture format; choose from \.png"):
        save_picture(tmp_path / "a.tif", picture(), NOTE)
    with pytest.raises(RenderError, match="too big"):
        save_picture(tmp_path / "a.webp", np.zeros([1, 16_384, 3], np.uint8), NOTE)
    with pytest.raises(RenderError, match=r"its note of 6\d+ bytes is too long for \.jpg; write a \.png"):
        save_picture(tmp_path / "a.jpg", picture(), NOTE.about(text="x" * 65_533))
    save_picture(tmp_path / "a.jpg", picture(), NOTE.about(text="x" * 65_300))
    (tmp_path / "a.jpg").unlink()
    assert not list(tmp_path.iterdir())


def test_existing_output_is_refused_without_force(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    check_picture_output(path, force=False)
    path.write_text("mine")
    with pytest.raises(RenderError, match="--force"):
        check_picture_output(path, force=False)
    check_picture_output(path, force=True)
    for folder in (tmp_path / "f", tmp_path / "f.png"):
        folder.mkdir()
        for force in (False, True):
            with pytest.raises(RenderError, match="is a folder; name a file in it"):
                check_picture_output(folder, force=force)


def test_no_output_lies_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    for below in ("b.png", "b/c/d.png"):
        with pytest.raises(RenderError, match=r"/a is a file; give another folder"):
            check_picture_output(tmp_path / "a" / below, force=True)


def test_missing_keeps_whole_pictures_of_the_same_work(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    notes = [NOTE.about(seed=i) for i in range(3)]
    wanted = {path: (i, note) for i, (path, note) in enumerate(zip(paths, notes, strict=True))}
    save_picture(paths[1], picture(), notes[1])
    assert missing(wanted, force=False) == [0, 2]
    save_picture(paths[2], picture(), notes[0])
    with pytest.raises(RenderError, match=r"2\.png exists"):
        missing(wanted, force=False)
    assert missing(wanted, force=True) == [0, 2]


def test_other_work_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "0.png"
    save_picture(path, picture(), NOTE.about(seed=0), replace=False)
    before = path.read_bytes()
    with pytest.raises(RenderError, match=r"0\.png was made by another process in the meantime"):
        save_picture(path, picture(), NOTE.about(seed=1), replace=False)
    save_picture(path, picture(), NOTE.about(seed=0), replace=False)
    assert path.read_bytes() == before
    save_picture(path, picture(), NOTE.about(seed=1))
    assert path.read_bytes() != before


def test_a_page_holds_a_picture_as_text() -> None:
    head, data = data_url(encode_webp(picture(), quality=80)).split(",")
    assert head == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert (image.format, image.size) == ("WEBP", (20, 12))


def test_enlarge() -> None:
    small = picture(2, 3)
    assert enlarge(small, 1, "nearest") is small
    nearest = enlarge(small, 3, "nearest")
    assert nearest.shape == (6, 9, 3)
    np.testing.assert_array_equal(nearest[1::3, 1::3], small)
    np.testing.assert_array_equal(nearest[:3, :3], np.broadcast_to(small[0, 0], (3, 3, 3)))
    smooth = enlarge(picture(8, 8), 4, "lanczos")
    assert smooth.shape == (32, 32, 3)
    assert len(np.unique(smooth)) > len(np.unique(picture(8, 8)))


def test_pictures_are_known_by_their_names() -> None:
    assert all(is_picture(Path(name)) for name in ("a.png", "a.JPG", "b/a.jpeg", "a.webp"))
    assert not any(is_picture(Path(name)) for name in ("a.mp4", "a.gif", "png", "a.png/b"))
