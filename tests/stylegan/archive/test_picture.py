"""One picture: our PNGs as Pillow reads them, and what is refused before or while decoding."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from stylegan.archive.faults import FaultError
from stylegan.archive.picture import decode_picture, encode_png, read_shape
from tests.stylegan.archive.zips import encoded, noise


@pytest.mark.parametrize(
    "shape", [(8, 8, 3), (8, 8, 1), (8, 8), (5, 7, 3), (1, 1), (256, 256, 3), (147, 149, 3)]
)
def test_a_png_of_ours_is_read_alike_by_pillow(shape: tuple[int, ...]) -> None:
    pixels = noise(0, *shape)
    with Image.open(io.BytesIO(encode_png(pixels))) as opened:
        opened.verify()
    with Image.open(io.BytesIO(encode_png(pixels))) as opened:
        assert np.array_equal(np.asarray(opened).reshape(shape), pixels)
        assert opened.mode == ("RGB" if shape[2:] == (3,) else "L")


def test_a_png_of_ours_is_not_compressed() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    png = encode_png(pixels)
    assert pixels.size < len(png) < pixels.size + 256
    body = png[png.index(b"IDAT") + 4 :][:-16]  # less the CRC and the IEND chunk
    assert len(zlib.decompress(body)) == 64 * (1 + 64 * 3)


@pytest.mark.parametrize("pixels", [noise(0, 4, 4, 4), noise(0, 4, 4, 2), noise(0, 4), np.zeros((4, 4, 3))])
def test_other_pixels_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        encode_png(pixels)


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 3), (0, 0)])
def test_a_picture_without_pixels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        encode_png(np.zeros(shape, np.uint8))


def test_decoding_gives_channels_first() -> None:
    pixels = noise(1, 6, 4, 3)
    decoded = decode_picture(encoded(pixels), "a.png")
    assert decoded.shape == (3, 6, 4)
    assert decoded.flags.c_contiguous
    assert decoded.flags.writeable
    assert np.array_equal(decoded, pixels.transpose(2, 0, 1))
    grey = decode_picture(encoded(noise(1, 6, 4)), "a.png")
    assert grey.shape == (1, 6, 4)
    assert grey.flags.writeable


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP", "TIFF", "PPM"])
def test_other_formats_are_decoded(kind: str) -> None:
    flat = Image.new("RGB", (8, 8), (200, 100, 50))
    assert np.abs(decode_picture(encoded(flat, kind), "a")[:, 4, 4].astype(int) - [200, 100, 50]).max() <= 3


@pytest.mark.parametrize(
    ("image", "kind", "words"),
    [
        (Image.new("RGBA", (8, 8)), "channels", "4 channels"),
        (Image.new("LA", (8, 8)), "channels", "2 channels"),
        (Image.new("P", (8, 8)), "mode", "palette"),
        (Image.new("1", (8, 8)), "mode", "1 bit"),
        (Image.fromarray(np.zeros((8, 8), np.uint16)), "mode", "16 bits"),
    ],
)
def test_what_cannot_be_trained_on_is_named(image: Image.Image, kind: str, words: str) -> None:
    for read in (read_shape, decode_picture):
        with pytest.raises(FaultError) as caught:
            read(encoded(image), "a.png")
        assert caught.value.fault.kind == kind
        assert words in str(caught.value.fault)
        assert str(caught.value.fault).startswith("a.png: ")


def _claiming(width: int, height: int) -> bytes:
    """A small PNG whose header claims a size."""
    png = bytearray(encode_png(noise(0, 4, 4, 3)))
    png[16:24] = struct.pack(">II", width, height)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    return bytes(png)


@pytest.mark.parametrize("side", [8200, 9_400, 12_000, 100_000])
def test_absurd_sizes_are_refused_before_decoding(side: int) -> None:
    with pytest.raises(FaultError, match="pixels allowed") as caught:
        read_shape(_claiming(side, side), "bomb.png")
    assert caught.value.fault.kind == "too-large"


def test_truncated_and_fake_pictures_are_refused() -> None:
    whole = encoded(noise(0, 32, 32, 3))
    with pytest.raises(FaultError, match="cannot be decoded"):
        decode_picture(whole[:-1000], "cut.png")
    with pytest.raises(FaultError, match="not a picture"):
        decode_picture(b"<html>not found</html>", "page.png")
    with pytest.raises(FaultError):
        decode_picture(b"", "empty.png")


def test_any_broken_byte_is_a_picture_or_a_fault() -> None:
    rng = np.random.default_rng(7)
    for kind in ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP"):
        whole = encoded(Image.fromarray(noise(0, 16, 16, 3)), kind)
        for _ in range(40):
            broken = bytearray(whole)
            broken[rng.integers(len(broken))] = rng.integers(256)
            with contextlib.suppress(FaultError):
                assert decode_picture(bytes(broken), "a").dtype == np.uint8
