"""Decodes any picture file to an upright RGB image, or refuses it with a reason.

Cheap checks come first, and nothing is trusted: the first bytes, Pillow's header with an allow-list of formats, the
number of pixels, and only then decoding, EXIF orientation and colour (`bend.prepare.colour`). JPEGs much larger than
needed are decoded at 1/2, 1/4 or 1/8 of their size.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import TiffImageFile

from bend.errors import IntakeError
from bend.prepare.colour import to_rgb
from stylegan.archive.picture import DECODER_ERRORS
from stylegan.lookalikes import HEAD_BYTES, Lookalike, identify

__all__ = ["FORMATS", "MAX_PIXELS", "Picture", "take_in"]

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
MAX_PIXELS = 128_000_000

# Kinds of `identify`: those that are surely pictures, and those that may be.
_PICTURES = frozenset({"jpeg", "png", "gif", "webp", "avif"})
_POSSIBLE = frozenset({"media", "unknown"})
# An MPO's or TIFF's further images are no later moments.
_ANIMATED_FORMATS = {"GIF", "WEBP", "PNG", "AVIF"}
_NEW_SUBFILE_TYPE, _IS_REDUCED = 254, 1  # a TIFF's tag, and its bit for a smaller copy of another image
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A decoded picture."""

    image: Image.Image
    """Upright RGB pixels, perhaps fewer than the file holds."""
    full_size: tuple[int, int]
    """Upright width and height of the file's own pixels."""
    notes: tuple[str, ...] = ()
    """What was repaired or ignored on the way, one short word each."""


def take_in(
    file: BinaryIO,
    *,
    background: tuple[int, int, int] = (255, 255, 255),
    animated: bool = False,
    scale_for: Callable[[tuple[int, int]], float] | None = None,
) -> Picture:
    """Decode a picture file to upright sRGB.

    Args:
        file: the file, open at its start, seekable.
        background: RGB colour that shows through transparent parts.
        animated: take the first frame of an animation instead of refusing it.
        scale_for: from width and height to the smallest scale that still has enough pixels; a JPEG is then decoded at
            the next larger of 1/2, 1/4 and 1/8. None for all pixels.

    Raises:
        IntakeError: `not-an-image`, `heic`, `raw`, `too-many-pixels`, `animated`, `truncated` or `damaged`.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    found = identify(head)
    if found.kind == "heic":
        raise IntakeError("heic", f"HEIC cannot be read; {found.mend}")
    if found.kind not in _PICTURES | _POSSIBLE:
        raise IntakeError("not-an-image", f"{found.what}, not a picture")
    # Pillow warns of sloppy metadata; what it cannot read is still an error.
    with warnings.catch_warnings(action="ignore"), _open(file, found) as opened:
        _refuse_unwanted(opened, animated=animated)
        size = opened.size
        if scale_for is not None:
            _draft(opened, scale_for(size))
        _load(opened)
        return _finish(opened, size, background)


def _open(file: BinaryIO, found: Lookalike) -> Image.Image:
    try:
        return Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError:
        raise IntakeError("too-many-pixels", f"more than {MAX_PIXELS:,} pixels") from None
    except Image.UnidentifiedImageError:
        if found.kind in _PICTURES:
            raise IntakeError("damaged", f"{found.what}, cut short or broken") from None
        raise IntakeError("not-an-image", f"no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} picture") from None
    except DECODER_ERRORS as error:
        raise _broken(error) from None


def _refuse_unwanted(opened: Image.Image, *, animated: bool) -> None:
    width, height = opened.size
    if width * height > MAX_PIXELS:
        raise IntakeError("too-many-pixels", f"{width}×{height}, more than {MAX_PIXELS:,} pixels")
    if isinstance(opened, TiffImageFile) and opened.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & _IS_REDUCED:
        raise IntakeError("raw", "a raw photo, of which only a preview can be read; save it as JPEG first")
    try:
        num_frames = getattr(opened, "n_frames", 1)
    except DECODER_ERRORS as error:
        raise _broken(error) from None
    if num_frames > 1 and not animated and opened.format in _ANIMATED_FORMATS:
        raise IntakeError("animated", f"{num_frames} frames; `--animated first` takes the first")


def _draft(opened: Image.Image, scale: float) -> None:
    """Have a JPEG decoded at a smaller size; other formats cannot be."""
    if scale < 1 and opened.format in ("JPEG", "MPO"):
        width, height = opened.size
        opened.draft(opened.mode, (max(1, int(width * scale)), max(1, int(height * scale))))


def _load(opened: Image.Image) -> None:
    try:
        opened.seek(0)  # counting frames may have moved on
        opened.load()
    except MemoryError:
        raise IntakeError("too-many-pixels", "does not fit into memory") from None
    except Image.DecompressionBombError:
        raise IntakeError("too-many-pixels", f"more than {MAX_PIXELS:,} pixels") from None
    except DECODER_ERRORS as error:
        raise _broken(error) from None


def _finish(opened: Image.Image, size: tuple[int, int], background: tuple[int, int, int]) -> Picture:
    # Read after loading: TIFFs are turned while they load, and PNGs may have EXIF data after their pixels.
    orientation, notes = _orientation(opened)
    try:
        image, colour_notes = to_rgb(opened, background)
    except DECODER_ERRORS as error:
        raise _broken(error) from None
    if orientation in _TURNS:
        image = image.transpose(_TURNS[orientation])
    full_size = size[::-1] if orientation >= 5 else size
    if isinstance(opened, TiffImageFile) and opened.n_frames > 1:
        notes += ("first-page",)
    return Picture(image=image, full_size=full_size, notes=notes + colour_notes)


def _orientation(opened: Image.Image) -> tuple[int, tuple[str, ...]]:
    try:
        value = opened.getexif().get(ExifTags.Base.Orientation, 1)
    except DECODER_ERRORS:
        return 1, ("bad-exif",)
    return (value if isinstance(value, int) and 1 <= value <= 8 else 1), ()


def _broken(error: Exception) -> IntakeError:
    words = str(error) or type(error).__name__
    is_cut = isinstance(error, EOFError) or any(word in words.lower() for word in ("truncat", "end of file"))
    return IntakeError("truncated" if is_cut else "damaged", f"cannot be decoded ({words})")
