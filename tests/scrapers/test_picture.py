"""What files really are: good ones of every format, bad ones by name."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scrapers.errors import DownloadError
from scrapers.picture import FORMATS, inspect, thumbnail
from tests.fakes.pictures import claiming_png, encoded, jpeg, pixels


def saved(image: Image.Image, kind: str, **settings: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.bin"


@pytest.mark.parametrize("kind", FORMATS)
def test_formats(file: Path, kind: str) -> None:
    file.write_bytes(encoded(7, kind=kind))
    picture = inspect(file)
    assert (picture.format, picture.width, picture.height) == (kind, 320, 320)
    assert picture.num_bytes == file.stat().st_size
    assert len(picture.sha256) == 64
    assert len(picture.phash) == 16


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"])
def test_colour_modes_hash_alike(file: Path, mode: str) -> None:
    file.write_bytes(saved(pixels(3), "PNG"))
    plain = int(inspect(file).phash, 16)
    image = pixels(3)
    if mode in ("I;16", "I", "F"):
        grey = np.asarray(image.convert("L"))
        values = (grey.astype(np.float64) * 257).astype(
            {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        )
        image = Image.fromarray(values)
    else:
        image = image.convert(mode)
    file.write_bytes(saved(image, "TIFF"))
    assert (int(inspect(file).phash, 16) ^ plain).bit_count() <= 6


@pytest.mark.parametrize("unknown", [np.nan, np.inf, -np.inf, -3.4e38])
def test_values_that_say_nothing_leave_the_others_their_contrast(file: Path, unknown: float) -> None:
    values = np.asarray(pixels(3).convert("L")).astype(np.float32)
    file.write_bytes(saved(Image.fromarray(values), "TIFF"))
    plain = inspect(file, is_measured=True)
    values[0, :3] = unknown
    file.write_bytes(saved(Image.fromarray(values), "TIFF"))
    pitted = inspect(file, is_measured=True)
    assert (int(pitted.phash, 16) ^ int(plain.phash, 16)).bit_count() <= 6
    assert pitted.texture == pytest.approx(plain.texture, abs=0.01)
    file.write_bytes(saved(Image.fromarray(np.full_like(values, unknown)), "TIFF"))
    assert inspect(file, is_measured=True).texture == 0.0


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP"])
def test_sideways_pictures_are_measured_and_hashed_upright(file: Path, kind: str) -> None:
    upright = pixels(5).resize((300, 200))
    file.write_bytes(saved(upright, kind))
    wanted = inspect(file)
    exif = Image.Exif()
    exif[0x0112] = 6
    file.write_bytes(saved(upright.rotate(90, expand=True), kind, exif=exif))
    turned = inspect(file)
    assert (turned.width, turned.height) == (300, 200)
    assert (int(turned.phash, 16) ^ int(wanted.phash, 16)).bit_count() <= 4


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE html><html>no</html>", "html"),
        (b"  \n<HTML><body>", "html"),
        (b'<?xml version="1.0"?><svg/>', "not-a-picture"),
        (b"%PDF-1.7", "not-a-picture"),
        (b'{"error": 1}', "not-a-picture"),
        (b"", "not-a-picture"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "not-a-picture"),
        (jpeg(1)[:-2000], "truncated"),
        (jpeg(1)[:200], "truncated"),
        (encoded(1, kind="PNG")[:-5000], "truncated"),
        (b"\xff\xd8\xff" + b"\x00" * 500, "broken"),
        (b"BM" + b"\xff" * 100, "truncated"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 " + b"\x00" * 20, "broken"),
        (claiming_png(9_000, 9_000), "too-many-pixels"),
        (claiming_png(60_000, 60_000), "too-many-pixels"),
        (claiming_png(1, 70_000), "too-many-pixels"),
    ],
)
def test_bad_files(file: Path, content: bytes, reason: str) -> None:
    file.write_bytes(content)
    with pytest.raises(DownloadError) as caught:
        inspect(file)
    assert caught.value.reason == reason, str(caught.value)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animations(file: Path, kind: str) -> None:
    file.write_bytes(saved(pixels(1), kind, save_all=True, append_images=[pixels(2)]))
    with pytest.raises(DownloadError, match="2 frames") as caught:
        inspect(file)
    assert caught.value.reason == "animated"


def test_pages_of_a_tiff_are_no_animation(file: Path) -> None:
    file.write_bytes(saved(pixels(1), "TIFF", save_all=True, append_images=[pixels(2)]))
    assert inspect(file).format == "TIFF"


def test_a_jpeg_hashes_like_its_original_at_any_size(file: Path) -> None:
    hashes = []
    for side in (320, 700, 1600):
        file.write_bytes(saved(pixels(11, side), "JPEG", quality=70))
        hashes.append(int(inspect(file).phash, 16))
    assert max((a ^ b).bit_count() for a in hashes for b in hashes) <= 4


def test_small_copies_show_white_where_nothing_is(file: Path) -> None:
    hidden = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    hidden.paste((200, 0, 0, 255), (0, 0, 32, 64))
    for image in (hidden, hidden.convert("P"), hidden.convert("LA")):
        file.write_bytes(saved(image, "PNG"))
        small = np.asarray(Image.open(io.BytesIO(thumbnail(file))).convert("L"))
        assert small[:, 40:].min() > 250
        assert small[:, :24].max() < 100


def test_different_pictures_hash_apart(file: Path) -> None:
    hashes = []
    for seed in range(40):
        file.write_bytes(jpeg(seed))
        hashes.append(int(inspect(file).phash, 16))
    assert min((a ^ b).bit_count() for i, a in enumerate(hashes) for b in hashes[:i]) > 10


@pytest.mark.parametrize("step", ["scrapers.picture.imagehash.phash", "scrapers.picture.measure"])
def test_a_picture_that_memory_cannot_hold_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(image: Image.Image) -> None:
        raise MemoryError

    monkeypatch.setattr(step, fail)
    file.write_bytes(jpeg(1))
    with pytest.raises(DownloadError, match="MemoryError"):
        inspect(file, is_measured=True)


def test_a_folder_that_cannot_be_read_is_not_the_pictures_fault(tmp_path: Path) -> None:
    with warnings.catch_warnings(), pytest.raises(FileNotFoundError):
        inspect(tmp_path / "gone.jpg")
