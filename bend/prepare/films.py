"""Prepares the training images of one source, a picture or a video: the work of a worker process.

A video is one piece of work. Its frames are written to a file in a scratch folder, ready for the zip, and only the
name of the file is passed back: memory stays bounded, the frames stay in order, and a video that turns out to be broken
near its end adds no frame to the data set.
"""

import hashlib
import tempfile
from contextlib import closing
from pathlib import Path
from typing import IO

from bend.errors import IntakeError
from bend.prepare.config import PackageConfig
from bend.prepare.dedupe import content_digest, difference_hash
from bend.prepare.discover import SourcePicture
from bend.prepare.pieces import FrameFile, Prepared, make_pieces, prepare
from bend.prepare.records import encoded
from bend.prepare.video import Shot, shots

__all__ = ["prepare_source"]


def prepare_source(
    source: SourcePicture, config: PackageConfig, scratch: Path | None = None, num_threads: int = 1
) -> Prepared:
    """Prepare a picture, or all frames of a video; what is wrong with it is recorded, not raised.

    Args:
        source: the picture or video.
        config: what to make of it.
        scratch: folder for the frames of videos; None if there are no videos.
        num_threads: of a video's decoder.
    """
    if not source.is_video:
        return prepare(source, config)
    assert scratch is not None
    try:
        return _prepare_video(source, config, scratch, num_threads)
    except IntakeError as error:
        return Prepared(reason=error.reason, message=str(error))
    except OSError as error:
        return Prepared(reason="unreadable", message=error.strerror or str(error))


def _prepare_video(source: SourcePicture, config: PackageConfig, scratch: Path, num_threads: int) -> Prepared:
    if source.member is not None:
        raise IntakeError("video-in-zip", "a video inside a zip; unpack the zip and name its folder")
    with source.path.open("rb") as file:
        digest = content_digest(file) if config.needs_digests else None
    with tempfile.NamedTemporaryFile(dir=scratch, suffix=".frames", delete=False) as spool:
        path = Path(spool.name)
        try:
            looks, notes = _spool(spool, source, config, num_threads)
            return Prepared(frames=FrameFile(path=path), digest=digest, all_looks=looks, notes=notes)
        except _SpoolError as error:
            path.unlink()
            return Prepared(failure=error.reason)
        except BaseException:
            path.unlink()
            raise


def _spool(
    spool: IO[bytes], source: SourcePicture, config: PackageConfig, num_threads: int
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Write the frames to `spool`; their looks, and notes on the video as a whole.

    Raises:
        IntakeError: the video is broken, or no frame of it is fit for use.
        _SpoolError: the spool cannot be written.
    """
    looks: list[int | None] = []
    flat: list[IntakeError] = []
    notes: tuple[str, ...] = ()
    frames = shots(
        source.path,
        every_s=config.every,
        max_frames=config.max_frames,
        background=config.background_rgb,
        num_threads=num_threads,
    )
    with closing(frames):
        for shot in frames:
            notes = shot.picture.notes
            try:
                frame = _prepare_frame(shot, source, config)
            except IntakeError as error:
                if error.reason != "flat":  # the next frame may show more, but is of the same size
                    raise
                flat.append(error)
            else:
                _write(spool, frame)
                looks.append(frame.looks)
    if not looks:
        raise flat[0]
    return tuple(each for each in looks if each is not None), notes + ("flat-frames",) * len(flat)


def _prepare_frame(shot: Shot, source: SourcePicture, config: PackageConfig) -> Prepared:
    image = shot.picture.image
    # Tiles are drawn by name; with the time in it, they are in other places in every frame.
    pieces, notes = make_pieces(shot.picture, f"{source.name}@{shot.time_s:.3f}", config)
    return Prepared(
        pieces=pieces,
        notes=notes[len(shot.picture.notes) :],  # those of the whole video are noted once
        digest=hashlib.sha256(image.tobytes()).hexdigest() if config.dedupe != "none" else None,
        looks=difference_hash(image) if config.needs_looks else None,
        time_s=shot.time_s,
    )


def _write(spool: IO[bytes], frame: Prepared) -> None:
    try:
        spool.write(encoded(frame))
        spool.flush()
    except OSError as error:
        raise _SpoolError(error) from error


class _SpoolError(Exception):
    """The spool cannot be written, which is not a fault of the video."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason
