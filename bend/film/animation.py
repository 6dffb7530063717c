"""Animated GIF and WebP, written one frame at a time in constant memory.

Pillow encodes each frame. The containers (GIF89a specification; WebP container specification, extended format) are
written here, since Pillow's and libwebp's own animation writers keep every frame until the end. Every frame is encoded
by itself, in a GIF with its own palette, which suits pictures that change everywhere. Codecs that predict frames from
one another are in `bend.film.video`.
"""

import contextlib
import io
import math
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from PIL import GifImagePlugin, Image

from bend.errors import RenderError
from bend.picture import PICTURE_SUFFIXES, Pixels, exif_note

__all__ = ["WriteFrame", "check_sides", "gif", "webp"]

WriteFrame: TypeAlias = Callable[[Pixels], None]

# suffix of a film -> most pixels a side, and what to call it
_MOST_SIDES = {
    ".mp4": (16_384, "an .mp4"),  # as x264 takes
    ".gif": (65_535, "a GIF"),
    ".webp": (PICTURE_SUFFIXES[".webp"], "a WebP"),
}
_GIF_SAMPLE = 64  # pixels on the longer side from which a palette is chosen
_WEBP_QUALITY = 90
_WEBP_HAS_EXIF_AND_ANIMATION = 0x08 | 0x02
_WEBP_DO_NOT_BLEND = 0x02


def check_sides(width: int, height: int, suffix: str) -> None:
    """Refuse frames with a side that is too long for films with a suffix.

    Raises:
        RenderError: they are too big.
    """
    most, kind = _MOST_SIDES.get(suffix, (math.inf, ""))
    if max(width, height) > most:
        raise RenderError(f"{width}×{height} is too big for {kind}; write an .apng or a smaller --grid")


@contextlib.contextmanager
def gif(path: Path, fps: Fraction, note: str) -> Iterator[WriteFrame]:
    """Open a GIF that repeats for ever; call what it yields with each frame, uint8 `[H, W, 3]`.

    Frames get 256 colours each. Their durations are whole hundredths of a second, rounded so that errors do not add up.

    Args:
        path: file to write.
        fps: frames a second, at most 50, since viewers slow down faster ones.
        note: provenance, written as a comment.

    Raises:
        RenderError: more than 50 frames a second, or frames too big for the format.
    """
    if fps > 50:
        raise RenderError(f"a GIF shows at most 50 frames a second, not {float(fps):g}; write an .mp4")
    index = 0
    with path.open("wb") as file:

        def write(frame: Pixels) -> None:
            nonlocal index
            if index == 0:
                _write_gif_head(file, frame.shape[1], frame.shape[0], note)
            duration_ms = 10 * _ticks(index, fps, 100)
            parts = GifImagePlugin.getdata(
                _in_256_colours(frame), duration=duration_ms, include_color_table=True
            )
            file.write(b"".join(parts))
            index += 1

        yield write
        file.write(b";")


def _in_256_colours(frame: Pixels) -> Image.Image:
    # Median cut on every pixel costs more than drawing the frame; a sample finds as good a palette.
    stride = max(1, max(frame.shape[:2]) // _GIF_SAMPLE)
    sample = Image.fromarray(np.ascontiguousarray(frame[::stride, ::stride]))
    palette = sample.quantize(256, method=Image.Quantize.MEDIANCUT)
    return Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def _write_gif_head(file: BinaryIO, width: int, height: int, note: str) -> None:
    check_sides(width, height, ".gif")
    file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0x70, 0, 0))
    file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", 0, 0))
    data = note.encode("ascii")
    blocks = [data[i : i + 255] for i in range(0, len(data), 255)]
    file.write(b"\x21\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0")


@contextlib.contextmanager
def webp(path: Path, fps: Fraction, note: str) -> Iterator[WriteFrame]:
    """Open an animated WebP that repeats for ever; call what it yields with each frame, uint8 `[H, W, 3]`.

    Args:
        path: file to write.
        fps: frames a second.
        note: provenance, written as the EXIF image description.

    Raises:
        RenderError: frames too big for the format, or a file beyond its 4 GiB.
    """
    index = 0
    with path.open("wb") as file:

        def write(frame: Pixels) -> None:
            nonlocal index
            if index == 0:
                _write_webp_head(file, frame.shape[1], frame.shape[0])
            _write_webp_frame(file, frame, _ticks(index, fps, 1000))
            index += 1

        yield write
        _write_chunk(file, b"EXIF", exif_note(note).removeprefix(b"Exif\0\0"))
        size = file.tell() - 8
        if size >= 2**32 - 10:
            raise RenderError("the film is longer than the 4 GiB of a WebP; write an .mp4")
        file.seek(4)
        file.write(struct.pack("<I", size))


def _write_webp_head(file: BinaryIO, width: int, height: int) -> None:
    check_sides(width, height, ".webp")
    file.write(b"RIFF\0\0\0\0WEBP")
    canvas = _u24(width - 1) + _u24(height - 1)
    _write_chunk(file, b"VP8X", bytes([_WEBP_HAS_EXIF_AND_ANIMATION, 0, 0, 0]) + canvas)
    _write_chunk(file, b"ANIM", bytes([0, 0, 0, 255]) + struct.pack("<H", 0))  # black behind; repeat for ever


def _write_webp_frame(file: BinaryIO, frame: Pixels, duration_ms: int) -> None:
    still = io.BytesIO()
    Image.fromarray(frame).save(still, "WEBP", quality=_WEBP_QUALITY, method=4)
    picture = still.getvalue()[12:]  # past RIFF, size, WEBP: one VP8 chunk, since there is no alpha
    place = _u24(0) + _u24(0) + _u24(frame.shape[1] - 1) + _u24(frame.shape[0] - 1)
    _write_chunk(file, b"ANMF", place + _u24(duration_ms) + bytes([_WEBP_DO_NOT_BLEND]) + picture)


def _write_chunk(file: BinaryIO, kind: bytes, data: bytes) -> None:
    file.write(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2))


def _u24(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


def _ticks(index: int, fps: Fraction, ticks_a_second: int) -> int:
    """How many ticks frame `index` lasts, rounded so that the ends of frames never drift from the true time."""
    return round((index + 1) * ticks_a_second / fps) - round(index * ticks_a_second / fps)
