"""What a downloaded file really is: its format, size, hash, and whether it decodes to the end.

Checks run from cheap to dear: magic bytes (a login page sent as `image/jpeg` is refused here), Pillow's header
parser limited to the formats we take, the pixel count (a decompression bomb is refused before it is decoded), then
a full decode, without which a truncated file passes for a whole one. JPEGs are decoded at a fraction of their size:
libjpeg still reads every byte, so that truncation shows, at a quarter of the time.

What the picture becomes for training (orientation, colour, depth) is for `bend package`; the file stays as it came.
"""

import contextlib
import hashlib
import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import imagehash
import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from scrapers.errors import DownloadError
from scrapers.quality import SIDE, measure

__all__ = ["FORMATS", "Picture", "inspect", "quiet_pillow", "thumbnail"]

# Pillow's name -> the ending that files get
FORMATS = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "GIF": ".gif",
    "AVIF": ".avif",
}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PHASH = re.compile(r"[0-9a-f]{16}")
_MAX_PIXELS = 80_000_000
_MAX_SIDE = 65_535  # as of a JPEG; to scale a line of millions of pixels takes gigabytes
_HASH_FROM = 64  # pixels to which a JPEG may be shrunk while it is decoded
_UNKNOWN = 1e38  # from here on a float is a mark for "no value"
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_MAY_MOVE = frozenset({"GIF", "WEBP", "PNG", "AVIF"})  # a TIFF's further pages are thumbnails, not frames
_MAGIC = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"BM",
    b"II*\x00",
    b"MM\x00*",
    b"II+\x00",
    b"MM\x00+",
)
_DECODE_FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    ZeroDivisionError,
    AttributeError,
    MemoryError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A file that decodes to the end.

    Attributes:
        sha256: of the file's bytes, hexadecimal.
        phash: 64-bit perceptual hash, hexadecimal.
        format: a key of `FORMATS`.
        width, height: in pixels, as displayed (EXIF orientation applied).
        num_bytes: length of the file.
        sharpness, texture, text: see `scrapers.quality`; None where they were not asked for.
    """

    sha256: str
    phash: str
    format: str
    width: int
    height: int
    num_bytes: int
    sharpness: float | None = None
    texture: float | None = None
    text: float | None = None

    def __post_init__(self) -> None:
        if not _SHA256.fullmatch(self.sha256) or not _PHASH.fullmatch(self.phash):
            raise ValueError("sha256 and phash are 64 and 16 hexadecimal digits")
        if self.format not in FORMATS:
            raise ValueError(f"format {self.format!r}: one of {', '.join(FORMATS)}")


def inspect(path: Path, *, max_pixels: int = _MAX_PIXELS, is_measured: bool = False) -> Picture:
    """Read the file to its end and say what it is.

    Args:
        path: the file.
        max_pixels: more are refused before they are decoded.
        is_measured: measure the quality as well, which takes a larger decode.

    Raises:
        DownloadError: `html`, `not-a-picture`, `too-many-pixels`, `animated`, `truncated` or `broken`.
    """
    with path.open("rb") as file:
        head = file.read(512)
        _check_magic(head)
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        num_bytes = file.tell()
        file.seek(0)
        with _faults_named(max_pixels):
            kind, width, height, grey = _decode(file, max_pixels, SIDE if is_measured else _HASH_FROM)
            quality = asdict(measure(grey)) if is_measured else {}
            phash = str(imagehash.phash(grey))
    return Picture(
        sha256=sha256,
        phash=phash,
        format=kind,
        width=width,
        height=height,
        num_bytes=num_bytes,
        **quality,
    )


def thumbnail(path: Path, side: int = 160) -> bytes:
    """A small JPEG of a picture, upright, its longer side `side` pixels at most.

    Raises:
        DownloadError: `too-many-pixels`, `truncated` or `broken`.
    """
    with _faults_named(_MAX_PIXELS), Image.open(path, formats=tuple(FORMATS)) as image:
        image.draft("RGB", (side, side))
        upright = ImageOps.exif_transpose(image)
        upright = _grey(upright) if _is_deep(upright) else _opaque(upright).convert("RGB")
        upright.thumbnail((side, side), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        upright.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


@contextlib.contextmanager
def quiet_pillow() -> Iterator[None]:
    """Ignore Pillow's warnings about odd files, except that a decompression bomb is an error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _decode(file: BinaryIO, max_pixels: int, side: int) -> tuple[str, int, int, Image.Image]:
    """Format, displayed width and height, and the grey picture of a file that decodes to its end."""
    with Image.open(file, formats=tuple(FORMATS)) as image:
        width, height = image.size
        _check_header(image, max_pixels)
        kind = "JPEG" if image.format == "MPO" else str(image.format)
        image.draft("RGB", (side, side))
        image.load()
        # Asked for after loading: TIFFs turn themselves, PNGs may carry EXIF after their pixels.
        turned = image.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS
        grey = _grey(ImageOps.exif_transpose(image))
    return (kind, height, width, grey) if turned else (kind, width, height, grey)


@contextlib.contextmanager
def _faults_named(max_pixels: int) -> Iterator[None]:
    """What decoders raise for odd files, as DownloadError."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DownloadError("too-many-pixels", f"more than {max_pixels} pixels") from None
    except UnidentifiedImageError:
        raise DownloadError("broken", "no decoder recognises it") from None
    except _DECODE_FAULTS as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault, not the picture's
        reason = "truncated" if "truncated" in str(error).lower() else "broken"
        raise DownloadError(reason, " ".join(str(error).split())[:120] or type(error).__name__) from None


def _check_magic(head: bytes) -> None:
    if head.startswith(_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return
    if head[4:8] == b"ftyp" and b"avif" in head[8:64]:
        return
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")) or b"<html" in text:
        raise DownloadError("html", "a web page instead of a picture")
    raise DownloadError("not-a-picture", f"begins with {head[:12]!r}, not an accepted picture format")


def _check_header(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise DownloadError("too-many-pixels", f"{image.width}x{image.height} pixels, over {max_pixels}")
    if max(image.size) > _MAX_SIDE:
        raise DownloadError("too-many-pixels", f"{image.width}x{image.height}, a side over {_MAX_SIDE}")
    if image.format in _MAY_MOVE and getattr(image, "n_frames", 1) > 1:
        raise DownloadError("animated", f"{getattr(image, 'n_frames', 0)} frames")


def _is_deep(image: Image.Image) -> bool:
    """Whether it has more than 8 bits a channel, of which it then has one."""
    return image.mode.startswith(("I", "F"))


def _grey(image: Image.Image) -> Image.Image:
    """Grey, of 8 bits; a deep one from its least to its greatest value, of those that are known."""
    if not _is_deep(image):
        return _opaque(image).convert("L")
    values = np.asarray(image.convert("F"))
    known = np.abs(values) < _UNKNOWN
    low = float(values.min(where=known, initial=_UNKNOWN)) if known.any() else 0.0
    high = float(values.max(where=known, initial=low))
    values = np.nan_to_num(values, nan=low).clip(low, high)
    return Image.fromarray(((values - low) * (255.0 / max(high - low, 1e-9))).astype(np.uint8))


def _opaque(image: Image.Image) -> Image.Image:
    """Over white where it is transparent, so that hidden colours do not count."""
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
