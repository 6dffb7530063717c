"""One picture of a data set: bytes to array and back.

Reading is Pillow's, with the header looked at before anything is decoded. Writing is ours, since an
uncompressed PNG is only a frame around the rows: twenty times faster than Pillow's adaptive filters at
compression level 0, two to five times faster to decode (filter type 0), and the same bytes whatever zlib is
linked. PNG specification, third edition, sections 5, 9 and 11; stored blocks of RFC 1951, section 3.2.4.
"""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylegan.archive.faults import FaultError

__all__ = [
    "DECODER_ERRORS",
    "EXTENSIONS",
    "MAX_PIXELS",
    "PictureShape",
    "decode_picture",
    "encode_png",
    "read_shape",
]

EXTENSIONS = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".ppm"}
)
MAX_PIXELS = 8192 * 8192

DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    ArithmeticError,
    TypeError,
    AttributeError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""Whatever Pillow's decoders throw at broken files; its bomb errors, which are none of these, come first."""

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "PPM")
_CHANNELS = {"L": 1, "RGB": 3}
_MODE_WORDS = {
    "1": "1 bit a pixel",
    "P": "a palette picture",
    "LA": "2 channels (grey with alpha)",
    "PA": "a palette picture with alpha",
    "RGBA": "4 channels (RGB with alpha)",
    "RGBX": "4 channels",
    "CMYK": "4 channels (CMYK)",
    "YCbCr": "YCbCr",
    "LAB": "LAB",
    "I": "32 bits a channel, not 8",
    "F": "floating point, not 8 bits a channel",
}
_MEND = "only 8-bit grey and RGB can be trained on; run `bend package` on it"
_MAX_BLOCK = 0xFFFF  # of a stored deflate block


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureShape:
    """Size and channels of a picture."""

    num_channels: int
    height: int
    width: int

    @classmethod
    def of(cls, pixels: npt.NDArray[np.uint8]) -> Self:
        """The shape of decoded pixels, [C, H, W]."""
        num_channels, height, width = pixels.shape
        return cls(num_channels=num_channels, height=height, width=width)

    def __str__(self) -> str:
        return f"{self.width}×{self.height} {'grey' if self.num_channels == 1 else 'RGB'}"


def read_shape(data: bytes, name: str) -> PictureShape:
    """Shape of the encoded picture `data`, decoding nothing.

    Raises:
        FaultError: it is not a picture, not 8-bit grey or RGB, or absurdly large.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with _open(data, name) as opened:
            return _shape(opened, name)


def decode_picture(data: bytes, name: str) -> npt.NDArray[np.uint8]:
    """Pixels of the encoded picture `data`, uint8 [C, H, W] with C 1 or 3, contiguous and the caller's own.

    Raises:
        FaultError: as `read_shape`, or it is truncated or damaged.
    """
    with _open(data, name) as opened:
        _shape(opened, name)
        try:
            opened.load()
        except DECODER_ERRORS as error:
            raise FaultError("unreadable", f"cannot be decoded ({error})", name) from None
        pixels = np.asarray(opened)
    # A copy, as Pillow's own memory cannot be written to.
    return np.array(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1), order="C")


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """An uncompressed PNG of `pixels`, uint8 [H, W, 3], [H, W, 1] or [H, W].

    Raises:
        ValueError: another shape or type, or no pixels.
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (1,), (3,)):
        raise ValueError(
            f"pixels must be uint8 [H, W], [H, W, 1] or [H, W, 3], not {pixels.dtype} {pixels.shape}"
        )
    if not pixels.size:
        raise ValueError(f"pixels must be at least one, not uint8 {pixels.shape}")
    height, width = pixels.shape[:2]
    colour_type = 2 if pixels.shape[2:] == (3,) else 0
    # Each row begins with its filter type, 0 for none.
    rows = np.zeros((height, 1 + pixels.size // height), np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    body = _chunk(b"IHDR", header) + _chunk(b"IDAT", _store(rows.tobytes())) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _open(data: bytes, name: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise FaultError("too-large", f"more than the {MAX_PIXELS:,} pixels allowed", name) from None
    except Image.UnidentifiedImageError:
        raise FaultError("unreadable", "not a picture, whatever its name says", name) from None
    except DECODER_ERRORS as error:
        raise FaultError("unreadable", f"cannot be opened as a picture ({error})", name) from None


def _shape(opened: Image.Image, name: str) -> PictureShape:
    if opened.width * opened.height > MAX_PIXELS:
        raise FaultError(
            "too-large", f"{opened.width}×{opened.height}, more than the {MAX_PIXELS:,} pixels allowed", name
        )
    if opened.mode not in _CHANNELS:
        what = (
            "16 bits a channel, not 8"
            if opened.mode.startswith("I;16")
            else _MODE_WORDS.get(opened.mode, opened.mode)
        )
        raise FaultError("channels" if "channels" in what else "mode", f"{what}; {_MEND}", name)
    return PictureShape(num_channels=_CHANNELS[opened.mode], height=opened.height, width=opened.width)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def _store(data: bytes) -> bytes:
    """`data` as a zlib stream of stored blocks."""
    parts = [b"\x78\x01"]
    for start in range(0, len(data), _MAX_BLOCK):
        block = data[start : start + _MAX_BLOCK]
        is_last = start + _MAX_BLOCK >= len(data)
        parts += [struct.pack("<BHH", is_last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join([*parts, struct.pack(">I", zlib.adler32(data))])
