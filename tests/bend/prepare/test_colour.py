"""Right pixels out of every kind of pixel a file can hold."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from bend.prepare.intake import Picture, take_in
from tests.bend.prepare.pictures import BLUE, GREEN, RED, linear_profile, png16, quadrants
from tests.stylegan.archive.zips import encoded

WHITE = (255, 255, 255)


def _taken(data: bytes, background: tuple[int, int, int] = WHITE) -> Picture:
    return take_in(io.BytesIO(data), background=background)


def _pixel(picture: Picture, x: int = 2, y: int = 2) -> tuple[int, ...]:
    value = picture.image.getpixel((x, y))
    assert isinstance(value, tuple)
    return value


def _close(got: tuple[int, ...], wanted: tuple[int, ...], by: int) -> bool:
    return max(abs(a - b) for a, b in zip(got, wanted, strict=True)) <= by


def test_grey_one_bit_and_palette_become_rgb() -> None:
    grey = np.full((8, 8), 77, np.uint8)
    assert _pixel(_taken(encoded(grey))) == (77, 77, 77)
    assert _pixel(_taken(encoded(Image.new("1", (8, 8), 1)))) == WHITE
    palette = Image.fromarray(quadrants()).quantize(4)
    assert np.abs(np.asarray(_taken(encoded(palette)).image).astype(int) - quadrants()).max() <= 3


def test_16_bit_grey_is_scaled_not_cut_off() -> None:
    values = np.array([[0, 128, 257, 12850], [25700, 40000, 65278, 65535]], np.uint16)
    picture = _taken(png16(values))
    assert np.array_equal(np.asarray(picture.image)[..., 0], np.round(values / 257).astype(np.uint8))


def test_the_transparent_grey_of_16_bits_shows_the_background() -> None:
    png = png16(np.array([[100, 101], [25700, 100]], np.uint16))
    chunk = b"tRNS" + struct.pack(">H", 100)
    header_end = 8 + 25  # the signature, and a header of 13 bytes with its length, name and checksum
    transparent = struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk))
    picture = _taken(png[:header_end] + transparent + png[header_end:])
    assert np.asarray(picture.image)[..., 0].tolist() == [[255, 0], [100, 255]]


def test_16_bit_tiffs_of_either_byte_order() -> None:
    values = np.array([[0, 25700], [51400, 65535]], np.uint16)
    for dtype in ("<u2", ">u2"):
        picture = _taken(encoded(Image.fromarray(values.astype(dtype)), "TIFF"))
        assert np.asarray(picture.image)[..., 1].tolist() == [[0, 100], [200, 255]]


def test_16_bit_colour_keeps_its_colours() -> None:
    values = (np.asarray(quadrants(), np.uint16) * 257).astype(np.uint16)
    assert np.array_equal(np.asarray(_taken(png16(values)).image), quadrants())


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (np.array([[0.0, 0.2], [1.0, 0.5]], np.float32), [0, 51, 255, 128]),
        (np.array([[0.0, 100.0], [255.0, 7.0]], np.float32), [0, 100, 255, 7]),
        (np.array([[0.0, 1000.0], [2000.0, 500.0]], np.float32), [0, 4, 8, 2]),
        (np.array([[np.nan, -5.0], [1.0, np.inf]], np.float32), [0, 0, 255, 0]),
        (np.array([[0, 100], [255, 7]], np.int32), [0, 100, 255, 7]),
        (np.array([[0, 25700], [65535, 257]], np.int32), [0, 100, 255, 1]),
        (np.array([[0, 1_000_000], [2_000_000, 4_000_000]], np.int32), [0, 64, 128, 255]),
    ],
)
def test_deep_tiffs_are_scaled_by_the_range_that_holds_them(values: np.ndarray, wanted: list[int]) -> None:
    picture = _taken(encoded(Image.fromarray(values), "TIFF"))
    assert np.asarray(picture.image)[..., 0].ravel().tolist() == wanted


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_not_inverted(kind: str) -> None:
    for colour, cmyk in (((255, 0, 0), (0, 255, 255, 0)), ((0, 0, 0), (0, 0, 0, 255)), (WHITE, (0, 0, 0, 0))):
        picture = _taken(encoded(Image.new("CMYK", (16, 16), cmyk), kind))
        assert _close(_pixel(picture), colour, 6), (colour, _pixel(picture))


def test_lab_becomes_srgb() -> None:
    lab = Image.new("LAB", (8, 8), (137, 128, 128))  # L* 53.6, a* and b* 0: middle grey
    assert _close(_pixel(_taken(encoded(lab, "TIFF"))), (128, 128, 128), 2)


@pytest.mark.parametrize("background", [WHITE, (0, 0, 0), (10, 200, 30)])
def test_alpha_shows_the_background(background: tuple[int, int, int]) -> None:
    rgba = np.zeros((8, 12, 4), np.uint8)
    rgba[..., :3] = RED
    rgba[:, 4:8, 3], rgba[:, 8:, 3] = 128, 255
    for kind in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        picture = _taken(encoded(rgba, kind, **options), background)
        half = tuple(round(b + (r - b) * 128 / 255) for r, b in zip(RED, background, strict=True))
        assert _pixel(picture, 1) == background
        assert _close(_pixel(picture, 5), half, 1)
        assert _pixel(picture, 10) == RED


def test_grey_with_alpha() -> None:
    image = Image.merge("LA", [Image.new("L", (8, 8), 40), Image.linear_gradient("L").resize((8, 8))])
    pixels = np.asarray(_taken(encoded(image), (0, 0, 0)).image)[..., 0]
    assert pixels[0].max() <= 3
    assert pixels[7].min() >= 36


def test_transparent_palette_grey_and_rgb_values() -> None:
    palette = Image.fromarray(quadrants()).quantize(4)
    red_index = palette.getpixel((2, 2))
    assert _close(_pixel(_taken(encoded(palette, transparency=red_index), BLUE)), BLUE, 0)
    assert _close(_pixel(_taken(encoded(palette, transparency=red_index), BLUE), 40), GREEN, 3)
    assert _close(_pixel(_taken(encoded(palette, "GIF", transparency=red_index), BLUE)), BLUE, 0)
    assert _pixel(_taken(encoded(Image.fromarray(quadrants()), transparency=RED), BLUE)) == BLUE
    assert _pixel(_taken(encoded(Image.new("L", (8, 8), 9), transparency=9), BLUE)) == BLUE
    table = bytes([255] * palette.getpixel((40, 2)) + [0])  # a tRNS chunk with one alpha an entry
    assert _pixel(_taken(encoded(palette, transparency=table), BLUE), 40) == BLUE


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF"])
def test_a_profile_is_followed(kind: str) -> None:
    flat = Image.new("RGB", (16, 16), (128, 128, 128))
    picture = _taken(encoded(flat, kind, icc_profile=linear_profile()))
    assert picture.notes == ()
    assert _close(_pixel(picture), (188, 188, 188), 3)


def test_a_profile_with_red_and_green_exchanged() -> None:
    picture = _taken(encoded(Image.new("RGB", (8, 8), (255, 0, 0)), icc_profile=linear_profile(order="grb")))
    assert _close(_pixel(picture), (0, 255, 0), 3)


def test_a_grey_profile_is_followed() -> None:
    picture = _taken(encoded(np.full((8, 8), 128, np.uint8), icc_profile=linear_profile("GRAY")))
    assert picture.notes == ()
    assert _close(_pixel(picture), (188, 188, 188), 2)


def test_a_profile_is_followed_beneath_alpha() -> None:
    rgba = Image.new("RGBA", (8, 8), (128, 128, 128, 255))
    rgba.putpixel((0, 0), (128, 128, 128, 0))
    picture = _taken(encoded(rgba, icc_profile=linear_profile()), (1, 2, 3))
    assert _pixel(picture, 0, 0) == (1, 2, 3)
    assert _close(_pixel(picture), (188, 188, 188), 2)


def test_a_profile_is_known_by_what_it_does_and_not_by_its_name() -> None:
    flat = Image.new("RGB", (8, 8), (128, 128, 128))
    picture = _taken(encoded(flat, icc_profile=linear_profile(name="sRGB, linear light")))
    assert _close(_pixel(picture), (188, 188, 188), 2)


def test_srgb_itself_changes_nothing() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = _taken(encoded(quadrants(), icc_profile=srgb))
    assert picture.notes == ()
    assert np.array_equal(np.asarray(picture.image), quadrants())


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", b"nonsense"),
        ("RGB", linear_profile()[:200]),
        ("RGB", linear_profile("GRAY")),
        ("L", linear_profile()),
        ("CMYK", linear_profile()),
    ],
)
def test_a_profile_that_cannot_be_followed_is_ignored_and_noted(mode: str, profile: bytes) -> None:
    image = Image.new("RGB", (16, 16), (90, 90, 90)).convert(mode)
    plain = _taken(encoded(image, "JPEG"))
    picture = _taken(encoded(image, "JPEG", icc_profile=profile))
    assert picture.notes == ("bad-icc",)
    assert _pixel(picture) == _pixel(plain)
