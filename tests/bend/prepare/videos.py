"""Videos with known frames for the tests of `bend.prepare`, made by PyAV, and broken or rotated by hand."""

import struct
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.bend.prepare.pictures import Pixels, photo

CODECS = {".mp4": "libx264", ".m4v": "libx264", ".mov": "libx264", ".mkv": "libx264"} | {
    ".webm": "libvpx",
    ".avi": "mpeg4",
}
MATRICES = {  # a, b, c and d of the display matrix
    "right": (0, 1, -1, 0),
    "over": (-1, 0, 0, -1),
    "left": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
}


def scene(number: int, width: int = 64, height: int = 48) -> Pixels:
    """A picture unlike those of other numbers."""
    return np.asarray(photo(1000 + number, width, height))


def write_video(
    path: Path,
    frames: list[Pixels],
    *,
    fps: Any = 10,
    codec: str | None = None,
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    settings: dict[str, Any] | None = None,
    source_format: str = "rgb24",
    conversion: dict[str, Any] | None = None,
) -> Path:
    """Encode `frames`, uint8 [H, W, C]; `settings` are attributes of the encoder, `options` the container's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix.lower()
    kind = "mp4" if suffix == ".m4v" else None
    with av.open(str(path), "w", format=kind, options=options or {}) as container:
        stream = container.add_stream(codec or CODECS[suffix], rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.bit_rate = 4_000_000
        for name, value in (settings or {}).items():
            setattr(stream.codec_context, name, value)
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format=source_format)
            container.mux(stream.encode(picture.reformat(format=pixel_format, **(conversion or {}))))
        container.mux(stream.encode(None))
    return path


def film(path: Path, num_seconds: int = 4, *, first: int = 0, fps: int = 10, **settings: Any) -> Path:
    """A video that shows another scene every second."""
    scenes = [scene(first + second) for second in range(num_seconds)]
    frames = [shown for shown in scenes for _ in range(fps)]
    return write_video(path, frames, fps=fps, **settings)


def turned(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write a display matrix over that of an MP4 (ISO 14496-12, section 8.3.2)."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 4 + 20 + 16  # past its name, version and flags, times and layers
    a, b, c, d = (number << 16 for number in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def cut(path: Path, share: float) -> Path:
    """Leave only the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    return path
