"""Prepared pictures as bytes: what waits in a file between the process that made it and the one that packs it.

A record is a line of JSON and, behind it, the PNGs that the line gives the lengths of. There is nothing in it that
could be run, so that such a file may be read wherever it was found. Records of a video's frames follow that of the
video itself, or lie in a file of their own.
"""

import json
from collections.abc import Generator
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

from bend.prepare.pieces import FrameFile, Piece, Prepared

__all__ = ["decoded", "encoded", "read_frames"]

_ELSEWHERE = ("pieces", "frames", "failure")  # written in another way, or never
_PLAIN = tuple(field.name for field in fields(Prepared) if field.name not in _ELSEWHERE)
_TUPLES = ("notes", "all_looks")


def encoded(prepared: Prepared, num_frame_bytes: int | None = None) -> bytes:
    """The bytes of a picture, a frame, or a video.

    Args:
        prepared: what became of it; no failure.
        num_frame_bytes: of a video: length of its frames' records, which the caller writes behind.
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
        path: its name, under which a video's frames are read later; they are passed over now.
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
    """The frames of a video one by one; a file that was only for them is gone afterwards."""
    try:
        with frames.path.open("rb") as file:
            file.seek(frames.start)
            while (frame := decoded(file, frames.path)) is not None:
                yield frame
    finally:
        if frames.is_passing:
            frames.path.unlink()
