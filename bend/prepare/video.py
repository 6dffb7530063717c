"""Decodes a video file to upright sRGB frames, one every so many seconds, and refuses files that are not whole.

FFmpeg demuxes and decodes, through PyAV. It may open only a few containers and the file itself, since a disguised
playlist could refer to anything else. Frames are turned as the display matrix says, pixels that are not square are
stretched, and the YUV matrix is the tagged one, or else the one that players assume. HDR is not tone-mapped, only
noted. `bend.prepare.films` uses the frames.
"""

import contextlib
import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image

from bend.errors import IntakeError
from bend.media import media_url
from bend.prepare.colour import to_rgb
from bend.prepare.intake import Picture
from stylegan.lookalikes import HEAD_BYTES, identify

__all__ = ["MAX_FRAME_PIXELS", "VIDEO_SUFFIXES", "Shot", "shots"]

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"})
MAX_FRAME_PIXELS = 8192 * 4320
MAX_DECODED = 5_000_000  # frames: a day at 60 a second

_OPEN_OPTIONS = {
    "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi",
    "protocol_whitelist": "file",
}
_CUT_S, _CUT_SHARE = 1.0, 0.01  # a correct header is off by less: in seconds, or as a part of the length
_FULL_RANGE = 2  # numbers of ITU-T H.273, as FFmpeg has them
_UNSPECIFIED_MATRIX = 2
_HDR_TRANSFERS = (16, 18)  # PQ and HLG
_HD_HEIGHT = 720  # players assume BT.709 for untagged colours from this height on, BT.601 below it

# By the signs of the display matrix's a, b, c and d: x' = ax + cy, y' = bx + dy, with y downwards.
_TURNS: dict[tuple[int, ...], Image.Transpose] = {
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A frame of a video."""

    time_s: float
    """When it is shown, in seconds after the first frame."""
    picture: Picture
    """Upright pixels, and notes on how they were converted."""


def shots(
    path: Path,
    *,
    every_s: float,
    max_frames: int,
    background: tuple[int, int, int] = (255, 255, 255),
    num_threads: int = 1,
) -> Generator[Shot, None, None]:
    """Yield the first frame and then one every `every_s` seconds, decoded one at a time.

    Only when the iteration has ended without an error is the file known to be whole.

    Args:
        path: the video.
        every_s: seconds from frame to frame; less than the video's own interval gives every frame once.
        max_frames: if there would be more, they are spread over the length that the header states.
        background: RGB colour that shows through transparent parts.
        num_threads: of the decoder; the frames are the same for any number.

    Raises:
        IntakeError: `not-a-video`, `no-video`, `too-many-pixels`, `too-long`, `truncated` or `damaged`.
        OSError: the file cannot be read.
    """
    _refuse_lookalikes(path)
    with _refusing_broken(), _open(path) as container:
        stream = _picture_stream(container, num_threads)
        length_s = _stated_length(container, stream)
        wanted = Fraction(every_s).limit_denominator(1_000_000)
        interval = max(wanted, Fraction(length_s) / max_frames)
        notes: tuple[str, ...] = ("hdr",) if stream.codec_context.color_trc in _HDR_TRANSFERS else ()
        notes += ("spread-frames",) if interval > wanted else ()
        watch = _Watch(container)
        turn, is_first = None, True
        for time, frame in _due(_decoded(container, stream, watch), interval, max_frames):
            # Only once: reading the side data of a frame keeps it in memory until garbage is collected.
            if is_first:
                turn, is_first = _TURNS.get(_matrix_signs(frame)), False
            image, _ = to_rgb(_to_image(frame), background)
            image = _upright(image, stream.sample_aspect_ratio, turn)
            yield Shot(time_s=float(time), picture=Picture(image=image, full_size=image.size, notes=notes))
        if is_first:
            raise IntakeError("damaged", "not one frame of it can be decoded")
        if length_s - watch.reached_s > max(_CUT_S, _CUT_SHARE * length_s):
            raise IntakeError("truncated", f"ends after {watch.reached_s:.1f} of {length_s:.1f} s")


def _refuse_lookalikes(path: Path) -> None:
    with path.open("rb") as file:
        found = identify(file.read(HEAD_BYTES))
    if found.kind not in ("media", "unknown"):
        raise IntakeError("not-a-video", f"{found.what}, not a video")


@contextlib.contextmanager
def _refusing_broken() -> Iterator[None]:
    import av

    try:
        yield
    except av.FFmpegError as error:  # some of them are OSErrors as well
        raise IntakeError("damaged", f"cannot be decoded ({error.strerror or error})") from None


def _open(path: Path) -> Any:
    import av

    return av.open(media_url(path), options=_OPEN_OPTIONS)


def _picture_stream(container: Any, num_threads: int) -> Any:
    """The first video stream that is not a cover picture, with its decoder configured."""
    import av

    cover = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        raise IntakeError("no-video", "no pictures in it")
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise IntakeError("no-video", "its pictures are packed in a way that cannot be decoded")
    _refuse_large(context.width, context.height)
    context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}  # the header may have lied
    context.thread_type, context.thread_count = "AUTO", num_threads
    return stream


def _refuse_large(width: int, height: int) -> None:
    if width * height > MAX_FRAME_PIXELS:
        raise IntakeError(
            "too-many-pixels", f"{width}×{height}, more than {MAX_FRAME_PIXELS:,} pixels a frame"
        )


def _stated_length(container: Any, stream: Any) -> float:
    """The length in seconds that the header states; 0 if it states none."""
    length_s = (container.duration or 0) / 1_000_000
    if "matroska" in container.format.name:  # its writers state the time at which it ends
        length_s -= max(container.start_time or 0, 0) / 1_000_000
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        # For a file that was cut off, FFmpeg shortens the duration to what is there, but not the number of frames.
        length_s = max(length_s, float(stream.frames / stream.average_rate))
    return length_s


class _Watch:
    """Tracks how far into the video, in seconds, its packets have come."""

    def __init__(self, container: Any) -> None:
        self.reached_s = 0.0
        self._start_s = (container.start_time or 0) / 1_000_000

    def see(self, packet: Any) -> None:
        """Note a packet of any stream.

        Raises:
            IntakeError: part of it is missing.
        """
        if packet.is_corrupt:
            raise IntakeError("truncated", f"cut off or unreadable after {self.reached_s:.1f} s")
        if packet.pts is not None and packet.time_base is not None:
            end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self.reached_s = max(self.reached_s, end_s - self._start_s)


def _due(
    frames: Iterator[tuple[Fraction, Any]], interval: Fraction, max_frames: int
) -> Iterator[tuple[Fraction, Any]]:
    """The frames that are wanted; the rest are read too, to see whether the file is whole."""
    due, num_taken = Fraction(0), 0
    for time, frame in frames:
        if time >= due and num_taken < max_frames:
            yield time, frame
            due = (time // interval + 1) * interval
            num_taken += 1


def _decoded(container: Any, stream: Any, watch: _Watch) -> Iterator[tuple[Fraction, Any]]:
    """All frames, each with its time in seconds after the first."""
    first: Fraction | None = None
    num_decoded = 0
    for packet in container.demux():
        watch.see(packet)
        if packet.stream_index != stream.index:
            continue
        for frame in packet.decode():
            if frame.is_corrupt:
                raise IntakeError("damaged", f"a broken frame after {watch.reached_s:.1f} s")
            _refuse_large(frame.width, frame.height)
            time = _time(frame, stream, num_decoded)
            first = time if first is None else first
            num_decoded += 1
            if num_decoded > MAX_DECODED:
                raise IntakeError("too-long", f"more than {MAX_DECODED:,} frames")
            yield time - first, frame


def _time(frame: Any, stream: Any, index: int) -> Fraction:
    """A frame's time in seconds, computed from its number if the file does not state it."""
    if frame.pts is not None and frame.time_base is not None:
        return Fraction(frame.pts * frame.time_base)
    return index / Fraction(stream.average_rate or 25)


def _upright(image: Image.Image, aspect: Fraction | None, turn: Image.Transpose | None) -> Image.Image:
    """`image`, whose pixels are `aspect` times as wide as high, with square pixels and turned."""
    if aspect and aspect != 1 and Fraction(1, 8) < aspect < 8:
        size = (round(image.width * max(Fraction(1), aspect)), round(image.height / min(Fraction(1), aspect)))
        _refuse_large(*size)
        image = image.resize(size, Image.Resampling.BICUBIC)
    return image if turn is None else image.transpose(turn)


def _to_image(frame: Any) -> Image.Image:
    """RGB, or RGBA where the video has an alpha channel."""
    settings = {}
    if not frame.format.is_rgb:
        is_full = frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj")
        settings["src_color_range"] = "JPEG" if is_full else "MPEG"
        if frame.colorspace == _UNSPECIFIED_MATRIX:
            settings["src_colorspace"] = "ITU709" if frame.height >= _HD_HEIGHT else "ITU601"
    wanted = "rgba" if any(component.is_alpha for component in frame.format.components) else "rgb24"
    return Image.fromarray(frame.reformat(format=wanted, dst_color_range="JPEG", **settings).to_ndarray())


def _matrix_signs(frame: Any) -> tuple[int, ...]:
    """The signs of the display matrix, which tell quarter turns and mirrorings; empty if there is none."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            numbers = struct.unpack("=9i", bytes(data)[:36])
            a, b, c, d = (numbers[i] for i in (0, 1, 3, 4))
            longest = max(map(abs, (a, b, c, d))) or 1
            return tuple(round(number / longest) for number in (a, b, c, d))
    return ()
