"""Encoders: they write a film file frame by frame, whole or not at all, with its provenance inside.

H.264 in MP4 and APNG go through PyAV (FFmpeg in a wheel), GIF and WebP through `bend.film.animation`. MP4 is made to
play everywhere: yuv420p, sides padded to even ones, the index in front so that a browser starts at once, and BT.709
matrix and tags so that colours stay the same. Folders of frames are in `bend.film.destination`.
"""

import contextlib
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from bend.config import FilmConfig
from bend.errors import RenderError
from bend.film.animation import WriteFrame, check_sides, gif, webp
from bend.film.sound_track import SoundTrack
from bend.media import media_url
from bend.picture import Pixels, check_num_pixels
from bend.provenance import KEY, Provenance
from stylegan.atomic import atomic_path

__all__ = ["FILM_SUFFIXES", "apng", "check_frame", "mp4", "open_film"]

FILM_SUFFIXES = (".mp4", ".webp", ".gif", ".apng")

_BT709 = 1  # the same number for matrix, primaries and transfer (ITU-T H.273)
_LIMITED_RANGE = 1
# The same command must give the same bytes. So the number of threads is fixed, since x264 writes it into the file, and
# its macroblock tree is off, since with B-frames that reads uninitialised memory.
_H264_THREADS = 4
_H264_OPTIONS = {"preset": "medium", "x264-params": "mbtree=0"}


def check_frame(output: Path, width: int, height: int) -> None:
    """Refuse, before anything is drawn, a film whose frames its format or memory cannot hold.

    Raises:
        RenderError: they are too big.
    """
    check_sides(width, height, output.suffix.lower())
    check_num_pixels(output, width, height, "--grid")


@contextlib.contextmanager
def open_film(
    path: Path, config: FilmConfig, provenance: Provenance, *, replace: bool = True
) -> Iterator[WriteFrame]:
    """Open a film for writing, format by its suffix; call what it yields with each frame, uint8 `[H, W, 3]`.

    The file gets its name only when it is whole; if anything stops the writing, nothing is left behind.

    Raises:
        FileExistsError: a file has appeared there meanwhile, and must not be replaced.
        RenderError: a suffix that is not a film format, or a film the format cannot hold.
        OSError: the folder cannot be written or the disk is full.
    """
    fps = _exact_rate(config.fps)
    note = provenance.to_json()
    suffix = path.suffix.lower()
    with atomic_path(path, replace=replace) as temporary, contextlib.ExitStack() as stack:
        if suffix == ".mp4":
            track = None if config.audio is None else Path(config.audio)
            yield stack.enter_context(mp4(temporary, fps, note, crf=config.crf, track=track))
        elif suffix in _PLAIN_WRITERS:
            yield stack.enter_context(_PLAIN_WRITERS[suffix](temporary, fps, note))
        else:
            known = ", ".join(FILM_SUFFIXES)
            raise RenderError(f"{path}: {suffix or 'no suffix'} is not a film format; choose from {known}")


@contextlib.contextmanager
def mp4(
    path: Path, fps: Fraction, note: str, *, crf: int = 18, track: Path | None = None
) -> Iterator[WriteFrame]:
    """Open an H.264 film, yuv420p, BT.709, limited range, index in front.

    Args:
        path: file to write.
        fps: frames a second.
        note: provenance, written as the comment tag.
        crf: quality, 0 (lossless but for the colour conversion) to 51 (worst).
        track: sound that plays along, cut where the film ends; None for a silent film.

    Raises:
        RenderError: frames too big for the encoder.
    """
    options = {"crf": str(crf), **_H264_OPTIONS}
    sound = None if track is None else SoundTrack(track)
    with av.open(media_url(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = note
        with _stream(
            container,
            codec="libx264",
            pixel_format="yuv420p",
            fps=fps,
            options=options,
            convert=_to_yuv420p,
            sound=sound,
        ) as write:
            yield write


@contextlib.contextmanager
def apng(path: Path, fps: Fraction, note: str) -> Iterator[WriteFrame]:
    """Open a lossless APNG that repeats for ever.

    Args:
        path: file to write.
        fps: frames a second.
        note: provenance, written as a text chunk.
    """
    with (
        av.open(media_url(path), "w", format="apng", options={"plays": "0"}) as container,
        _stream(
            container, codec="apng", pixel_format="rgb24", fps=fps, options={}, convert=_to_rgb24
        ) as write,
    ):
        yield write
    _append_png_text(path, note)


# suffix -> writer that takes path, fps and note
_PLAIN_WRITERS = {".gif": gif, ".webp": webp, ".apng": apng}


@contextlib.contextmanager
def _stream(
    container: Any,
    *,
    codec: str,
    pixel_format: str,
    fps: Fraction,
    options: dict[str, str],
    convert: Callable[[Pixels], av.VideoFrame],
    sound: SoundTrack | None = None,
) -> Iterator[WriteFrame]:
    """Encode frames into a container; the stream takes its size from the first."""
    stream: Any = None
    index = 0

    def write(frame: Pixels) -> None:
        nonlocal stream, index
        picture = convert(frame)
        picture.pts, picture.time_base = index, 1 / fps
        if stream is None:
            stream = container.add_stream(codec, rate=fps, options=options)
            stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, pixel_format
            if pixel_format == "yuv420p":
                stream.codec_context.thread_count = _H264_THREADS
                _tag_bt709(stream.codec_context)
            if sound is not None:
                sound.join(container)
        container.mux(stream.encode(picture))
        sys.audit("failpoint", "frame", container.name)
        index += 1
        if sound is not None:
            sound.play_until(index / fps)

    yield write
    if stream is not None:
        container.mux(stream.encode(None))
        if sound is not None:
            sound.end()


def _exact_rate(fps: float) -> Fraction:
    """The exact rate that is meant: 29.97 is short for 30000/1001, 23.976 for 24000/1001, and so on."""
    ntsc = Fraction(round(fps * 1.001) * 1000, 1001)
    is_short = abs(ntsc - Fraction(fps)) < min(0.004, abs(round(fps) - fps))
    return ntsc if is_short else Fraction(fps).limit_denominator(1001)


def _tag_bt709(context: Any) -> None:
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED_RANGE


def _to_yuv420p(frame: Pixels) -> av.VideoFrame:
    """Convert with the BT.709 matrix; an odd side repeats its last line, since chroma has half the resolution."""
    height, width = frame.shape[:2]
    check_sides(width, height, ".mp4")
    even = np.pad(frame, [(0, height % 2), (0, width % 2), (0, 0)], mode="edge")
    return _to_rgb24(even).reformat(
        format="yuv420p", dst_colorspace="ITU709", src_color_range="JPEG", dst_color_range="MPEG"
    )


def _to_rgb24(frame: Pixels) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")


def _append_png_text(path: Path, note: str) -> None:
    """Put a text chunk before the end marker of a PNG (PNG specification, section 11.3)."""
    body = b"tEXt" + KEY.encode() + b"\0" + note.encode("ascii")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    with path.open("r+b") as file:
        file.seek(-12, 2)
        end = file.read(12)
        file.seek(-12, 2)
        file.write(chunk + end)
