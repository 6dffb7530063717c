"""Upright pixels out of every format, and a reason for whatever is refused."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from bend.errors import IntakeError
from bend.prepare.intake import MAX_PIXELS, take_in
from tests.bend.prepare.pictures import photo, quadrants
from tests.fakes.pictures import claiming_png
from tests.stylegan.archive.zips import encoded, noise, write_zip

FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "BMP": {},
    "GIF": {},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
}
STORED = {  # how the upright picture lies in a file of each EXIF orientation
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


def _refusal(data: bytes, **options: Any) -> IntakeError:
    with pytest.raises(IntakeError) as caught:
        take_in(io.BytesIO(data), **options)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read(kind: str) -> None:
    picture = take_in(io.BytesIO(encoded(quadrants(), kind, **FORMATS[kind])))
    assert (picture.image.mode, picture.full_size, picture.notes) == ("RGB", (48, 32), ())
    wrong = np.abs(np.asarray(picture.image).astype(int) - quadrants())
    assert wrong.mean() < 2
    assert wrong[4:12, 4:20].max() <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP", "AVIF"])
def test_exif_orientation_is_applied(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored = np.ascontiguousarray(STORED[orientation](quadrants()))
    picture = take_in(io.BytesIO(encoded(stored, kind, exif=exif, **FORMATS[kind])))
    assert picture.full_size == picture.image.size == (48, 32)
    assert np.abs(np.asarray(picture.image).astype(int) - quadrants()).mean() < 2


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_none(orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    assert take_in(io.BytesIO(encoded(quadrants(), exif=exif))).full_size == (48, 32)


def test_broken_exif_is_ignored() -> None:
    picture = take_in(io.BytesIO(encoded(quadrants(), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")))
    assert np.array_equal(np.asarray(picture.image), quadrants())


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_decoded_smaller_where_that_is_enough(orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    upright = np.asarray(photo(1, 803, 602))
    data = encoded(np.ascontiguousarray(STORED[orientation](upright)), "JPEG", quality=95, exif=exif)
    whole = take_in(io.BytesIO(data))
    small = take_in(io.BytesIO(data), scale_for=lambda size: 150 / min(size))
    assert whole.full_size == small.full_size == (803, 602)
    assert small.image.size == (201, 151)
    shrunk = whole.image.resize(small.image.size, Image.Resampling.LANCZOS)
    assert np.abs(np.asarray(shrunk).astype(int) - np.asarray(small.image)).mean() < 2.5


def test_a_jpeg_is_never_decoded_smaller_than_needed() -> None:
    data = encoded(photo(1, 800, 600), "JPEG")
    for needed in (10, 75, 76, 150, 299, 300, 301, 600, 900):
        picture = take_in(io.BytesIO(data), scale_for=lambda size, needed=needed: needed / min(size))
        assert min(600, needed) <= min(picture.image.size) <= 600


ANIMATIONS = {"GIF": {}, "WEBP": {"lossless": True}, "PNG": {}, "AVIF": {"quality": 100}}


@pytest.mark.parametrize("kind", ANIMATIONS)
def test_animations_are_refused_unless_asked_for(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **ANIMATIONS[kind])
    refused = _refusal(data)
    assert (refused.reason, str(refused)) == ("animated", "3 frames; `--animated first` takes the first")
    first = take_in(io.BytesIO(data), animated=True).image.getpixel((8, 8))
    assert np.abs(np.array(first) - [250, 0, 0]).max() <= 4


def test_of_a_tiff_the_first_page_is_taken_and_that_is_said() -> None:
    pages = [Image.new("RGB", (16, 16), colour) for colour in ((250, 0, 0), (0, 250, 0))]
    picture = take_in(io.BytesIO(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])))
    assert picture.image.getpixel((8, 8)) == (250, 0, 0)
    assert picture.notes == ("first-page",)


def test_the_preview_in_a_raw_photo_is_not_taken_for_the_photo() -> None:
    is_reduced = {254: 1}  # NewSubfileType, as in the first image of a DNG or NEF
    refused = _refusal(encoded(Image.fromarray(quadrants()), "TIFF", tiffinfo=is_reduced))
    assert (refused.reason, str(refused).partition("; ")[2]) == ("raw", "save it as JPEG first")


def test_heic_is_told_by_its_name() -> None:
    refused = _refusal(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500))
    assert (refused.reason, str(refused)) == ("heic", "HEIC cannot be read; save it as JPEG first")


def test_a_phone_s_jpeg_with_a_preview_is_no_animation() -> None:
    data = encoded(
        Image.fromarray(quadrants()), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))]
    )
    assert take_in(io.BytesIO(data)).full_size == (48, 32)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file"),
        (b"just text, saved as .jpg\n", "a text file"),
        (b"<!doctype html><title>403</title>", "a web page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a text file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-lfs pointer"),
        (b"%PDF-1.4 \xff\xfe", "a PDF"),
        (b"\x1f\x8b\x08 compressed", "a gzip"),
        (noise(0, 5000).tobytes(), "no JPEG, PNG"),
        (bytes(5000), "no JPEG, PNG"),
        (b"8BPS\0\1" + bytes(500), "no JPEG, PNG"),
        (b"II*\0" + noise(1, 500).tobytes(), ""),
        (b"\0\0\0\x18ftypmp42" + bytes(500), "no JPEG, PNG"),
        (b"\x7fELF" + bytes(500), "no JPEG, PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a text file"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, words: str) -> None:
    refused = _refusal(data)
    assert refused.reason in {"not-an-image", "damaged"}
    assert words in str(refused)


def test_a_zip_of_pictures_is_no_picture(tmp_path: Any) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.png": encoded(quadrants())})
    assert _refusal(path.read_bytes()).reason == "not-an-image"


@pytest.mark.parametrize("kind", ["PPM", "ICO", "PCX", "TGA", "JPEG2000"])
def test_formats_not_on_the_list_are_refused(kind: str) -> None:
    assert _refusal(encoded(Image.fromarray(quadrants()), kind)).reason == "not-an-image"


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(kind: str, kept: float) -> None:
    data = encoded(noise(0, 64, 64, 3), kind, **FORMATS[kind])
    refused = _refusal(data[: int(len(data) * kept)])
    assert refused.reason in {"truncated", "damaged"} or kind == "TIFF"  # its directory may lie at the end
    if kind in {"JPEG", "PNG", "BMP"}:
        assert refused.reason == "truncated"


@pytest.mark.parametrize("side", [12_000, 14_000, 60_000, 2**31 - 1])
def test_decompression_bombs_are_refused_undecoded(side: int) -> None:
    refused = _refusal(claiming_png(side, side))
    assert refused.reason == "too-many-pixels"
    assert f"{MAX_PIXELS:,}" in str(refused)


def test_any_broken_byte_gives_a_picture_or_a_reason() -> None:
    rng = np.random.default_rng(3)
    for kind, options in FORMATS.items():
        whole = encoded(noise(0, 24, 24, 3), kind, **options)
        for _ in range(60):
            broken = bytearray(whole)
            for _ in range(rng.integers(1, 4)):
                broken[rng.integers(min(len(broken), 400))] = rng.integers(256)
            try:
                assert take_in(io.BytesIO(broken), animated=True).image.mode == "RGB"
            except IntakeError as refused:
                assert refused.reason in {"truncated", "damaged", "not-an-image", "too-many-pixels"}
