"""Prepared pictures written down and read back."""

import io
from pathlib import Path

from bend.prepare.pieces import FrameFile, Piece, Prepared
from bend.prepare.records import decoded, encoded, read_frames

KEPT = Prepared(
    pieces=(Piece(png=b"\n\0one", box=(0, 0, 4, 4)), Piece(png=b"", box=(1, 2, 3, 4))),
    notes=("enlarged",),
    digest="ab",
    looks=0,
    time_s=0.0,
)
REFUSED = Prepared(reason="flat", message="no detail – é")


def test_pictures_come_back_as_they_were() -> None:
    file = io.BytesIO(encoded(KEPT) + encoded(REFUSED) + encoded(Prepared()))
    read = [decoded(file, Path("a")) for _ in range(4)]
    assert read == [KEPT, REFUSED, Prepared(), None]


def test_a_video_s_frames_are_passed_over_and_read_later(tmp_path: Path) -> None:
    frames = encoded(KEPT) + encoded(REFUSED)
    video = Prepared(digest="cd", all_looks=(1, 2**64 - 1), notes=("hdr",))
    path = tmp_path / "shard"
    path.write_bytes(encoded(REFUSED) + encoded(video, len(frames)) + frames)
    with path.open("rb") as file:
        assert decoded(file, path) == REFUSED
        found = decoded(file, path)
        assert decoded(file, path) is None
    assert found is not None
    assert found.frames == FrameFile(path=path, start=len(path.read_bytes()) - len(frames), is_passing=False)
    assert (found.all_looks, found.notes, found.digest) == ((1, 2**64 - 1), ("hdr",), "cd")
    assert list(read_frames(found.frames)) == [KEPT, REFUSED]
    assert path.exists()


def test_a_file_that_was_only_for_frames_goes(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    path.write_bytes(encoded(KEPT))
    assert list(read_frames(FrameFile(path=path))) == [KEPT]
    assert not path.exists()
