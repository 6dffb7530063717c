"""Prepared pictures as bytes, to be passed in files from the process that prepares them to the one that packs them.

A record is a line of JSON, followed by the PNGs whose lengths the line gives. Nothing in it can be run, so that such a
file is safe to read wherever it comes from. The records of a video's frames follow that of the video itself, or are in
a file of their own.
"""

import json
from collections.abc import Generator
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

from bend.prepare.pieces import FrameFile, Piece, Prepared

__all__ = ["decoded", "encoded", "read_frames"]

_ELSEWHERE = ("pieces", "frames", "failure")  # written differently, or never
_PLAIN = tuple(field.name for field in fields(Prepared) if field.name not in _ELSEWHERE)
_TUPLES = ("notes", "all_looks")


def encoded(prepared: Prepared, num_frame_bytes: int | None = None) -> bytes:
    """The bytes of a picture, a frame, or a video.

    Args:
        prepared: its result; not a failure.
        num_frame_bytes: of a video: length of its frames' records, which the caller writes after it.
    """
    assert prepared.failure is None
    record = {name: getattr(prepared, name) for name in _PLAIN}
    record["pieces"] = [(piece.box, len(piece.png)) for piece in prepared.pieces]
    record["frames"] = num_frame_bytes
    line = json.dumps({name: value for name, value in record.items() if value not in (None, (), [], "")})
    return b"".join([line.encode(), b"\n", *(piece.png for piece in prepared.pieces)])


def decoded(file: BinaryIO, path: Path) -> Prepared | None:
    """The next record of a file; None at its end.

    Args:
        file: open for reading.
        path: of the file; a video's frames are skipped now, and read from there later.
    """
    if not (line := file.readline()):
        return None
    record = json.loads(line)
    pieces = tuple(
        Piece(box=tuple(box), png=file.read(num_bytes)) for box, num_bytes in record.pop("pieces", ())
    )
    frames = None
    if (num_bytes := record.pop("frames", None)) is not None:
        frames = FrameFile(path=path, start=file.tell(), is_passing=False)
        file.seek(num_bytes, 1)
    plain: dict[str, Any] = {
        name: tuple(value) if name in _TUPLES else value for name, value in record.items()
    }
    return Prepared(pieces=pieces, frames=frames, **plain)


def read_frames(frames: FrameFile) -> Generator[Prepared, None, None]:
    """The frames of a video one by one; a file of nothing else is removed afterwards."""
    try:
        with frames.path.open("rb") as file:
            file.seek(frames.start)
            while (frame := decoded(file, frames.path)) is not None:
                yield frame
    finally:
        if frames.is_passing:
            frames.path.unlink()
