"""Turns one picture file into its training images, encoded as PNGs.

All inputs are arguments, and the result is one record, refusals included, so that it does not matter in which process
or when it is made. `bend.prepare.films` does the same for the frames of a video.
"""

import io
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from bend.errors import IntakeError
from bend.prepare.config import PackageConfig
from bend.prepare.crop import CROPS, Box, Crop, cut
from bend.prepare.dedupe import content_digest, difference_hash
from bend.prepare.discover import SourcePicture
from bend.prepare.intake import Picture, take_in
from bend.prepare.tiles import choose_tiles, side_range
from stylegan.archive import encode_png
from stylegan.archive.container import Container
from stylegan.archive.faults import FaultError
from stylegan.archive.tar_shard import TarMembers, is_tar

__all__ = ["FrameFile", "Piece", "Prepared", "make_pieces", "prepare"]

MAX_FILE_BYTES = 512 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One training image."""

    png: bytes
    """Uncompressed PNG, as `stylegan.archive.encode_png` makes them."""
    box: Box
    """The part that it shows: left, top, right, bottom in pixels of the upright source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFile:
    """Where the frames of a video are; see `bend.prepare.records`."""

    path: Path
    start: int = 0
    """Offset of the first frame in bytes; the last one ends with the file."""
    is_passing: bool = True
    """Whether the file holds nothing else, and is removed once they are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The result for a source picture: its pieces, or the reason why there are none."""

    pieces: tuple[Piece, ...] = ()
    reason: str | None = None
    """Short word to count refusals by; None if the picture was kept."""
    message: str = ""
    """The refusal for a person, without the picture's name."""
    notes: tuple[str, ...] = ()
    """What was repaired on the way, one short word each."""
    digest: str | None = None
    """Of the file's bytes, or of a frame's pixels; None if not needed."""
    looks: int | None = None
    """Difference hash; None if not needed."""
    time_s: float | None = None
    """Of a frame: seconds after the video's first one."""
    frames: FrameFile | None = None
    """Of a video: where its frames are, for `bend.prepare.records.read_frames`."""
    all_looks: tuple[int, ...] = ()
    """Of a video: the `looks` of its frames."""
    failure: OSError | None = None
    """An error that is not a fault of the picture and ends the packaging, such as a full disk."""


def prepare(source: SourcePicture, config: PackageConfig) -> Prepared:
    """Decode, crop, scale and encode a picture; what is wrong with it is recorded, not raised."""
    try:
        with _open(source) as file:
            picture = take_in(
                file,
                background=config.background_rgb,
                animated=config.animated,
                scale_for=_scale_for(config),
            )
            pieces, notes = make_pieces(picture, source.name, config)
            return Prepared(
                pieces=pieces,
                notes=notes,
                digest=content_digest(file) if config.needs_digests else None,
                looks=difference_hash(picture.image) if config.needs_looks else None,
            )
    except IntakeError as error:
        return Prepared(reason=error.reason, message=str(error))
    except OSError as error:
        return Prepared(reason="unreadable", message=error.strerror or str(error))


def make_pieces(
    picture: Picture, name: str, config: PackageConfig
) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
    """Crop, scale and encode a decoded picture; gives its pieces, and the notes on it.

    Raises:
        IntakeError: `too-small`, `aspect` or `flat`.
    """
    _refuse_shape(picture.full_size, config)
    crops = _choose_crops(picture, name, config)
    pieces = tuple(_encode(picture, crop, config) for crop in crops)
    return pieces, picture.notes + _notes_on(crops, config)


def _open(source: SourcePicture) -> BinaryIO:
    if source.member is None:
        if source.path.stat().st_size > MAX_FILE_BYTES:
            raise IntakeError("too-many-bytes", f"more than {MAX_FILE_BYTES >> 20} MiB")
        return source.path.open("rb")
    try:
        return io.BytesIO(_container(source.path, source.path.stat().st_mtime_ns).read(source.member))
    except FaultError as error:
        raise IntakeError("damaged", error.fault.message) from None


@lru_cache(maxsize=4)
def _container(path: Path, mtime_ns: int) -> Container | TarMembers:
    """The open zip or tar; the time of its last change is part of the key, so that a changed file is opened again."""
    return TarMembers(path) if is_tar(path) else Container(path)


def _scale_for(config: PackageConfig) -> Callable[[tuple[int, int]], float]:
    """From the size of a file to the smallest scale at which it may be decoded."""

    def scale(size: tuple[int, int]) -> float:
        if config.num_tiles is not None:
            side = side_range(size, config.num_tiles, config.resolution)[0]
        else:
            side = max(size) if config.crop == "fit" else min(size)
        return config.side_wanted / side

    return scale


def _refuse_shape(full_size: tuple[int, int], config: PackageConfig) -> None:
    width, height = full_size
    if min(full_size) < config.smallest_side:
        raise IntakeError("too-small", f"{width}×{height}, its shorter side below {config.smallest_side}")
    least, most = config.min_aspect or 0.0, config.max_aspect or math.inf
    if not least <= width / height <= most:
        raise IntakeError("aspect", f"{width}×{height}, {width / height:.2f} times as wide as high")


def _choose_crops(picture: Picture, name: str, config: PackageConfig) -> list[Crop]:
    if config.num_tiles is None:
        return [CROPS[config.crop](picture.image, picture.full_size)]
    # Seeded by the name, so that a picture's tiles do not depend on the other pictures.
    rng = np.random.default_rng([config.seed, zlib.crc32(name.encode())])
    crops = choose_tiles(picture.image, picture.full_size, config.num_tiles, config.resolution, rng)
    if not crops:
        raise IntakeError("flat", "no part of it has any detail")
    return crops


def _notes_on(crops: list[Crop], config: PackageConfig) -> tuple[str, ...]:
    sides = [max(crop.box[2] - crop.box[0], crop.box[3] - crop.box[1]) for crop in crops]
    notes = ("enlarged",) if min(sides) < config.resolution else ()
    return (*notes, "fewer-tiles") if len(crops) < (config.num_tiles or 1) else notes


def _encode(picture: Picture, crop: Crop, config: PackageConfig) -> Piece:
    image = cut(picture.image, picture.full_size, crop, config.resolution, config.background_rgb)
    pixels = np.asarray(image.convert("L") if config.colour == "grey" else image)
    return Piece(png=encode_png(pixels), box=crop.box)
