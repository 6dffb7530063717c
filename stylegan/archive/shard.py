"""The interface of a shard, a file that a data set reads its pictures from, and the zip that implements it.

Opening a shard reads its list of pictures and their labels into arrays, a row for each picture, and nothing else.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from stylegan.archive.container import Container
from stylegan.archive.faults import FaultError
from stylegan.archive.labels import Labels
from stylegan.archive.metadata import Places, iterate_sources, read_labels
from stylegan.archive.picture import EXTENSIONS, PictureShape

__all__ = ["IMAGE_ENDING", "Shard", "ZipShard", "image_rows", "refuse_shape"]

IMAGE_ENDING = b"|".join(ending[1:].encode() for ending in sorted(EXTENSIONS))
"""What pictures' names end with, as a pattern."""

_IMAGE = re.compile(
    rb"/*(?!__MACOSX/)(?:.*/)?[^./][^/]*\.(?:" + IMAGE_ENDING + rb")", re.IGNORECASE | re.DOTALL
)


class Shard(Protocol):
    """Pictures by number, in an order that never varies."""

    path: Path
    labels: Labels | None
    """Int64 [N] class indices or float32 [N, D] vectors; None where there are none, or none are wanted."""
    is_sequential: bool
    """Whether reading its pictures in their order is much faster than in another."""

    def __len__(self) -> int:
        """How many pictures there are."""

    def name(self, place: int) -> str:
        """What picture `place` is called."""

    def read(self, place: int) -> bytes:
        """Picture `place`, encoded.

        Raises:
            FaultError: it cannot be read.
        """

    def identities(self, places: Iterable[int]) -> Iterator[bytes]:
        """For each of these pictures a line that changes when its name or content does."""

    def iterate_sources(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Pictures of known origin, and what is known; in the order of the file."""

    def close(self) -> None:
        """Close what is open."""


class ZipShard:
    """A data-set zip: the pictures in the sorted order of their names.

    Args:
        path: the zip file.
        use_labels: whether to read the labels.

    Raises:
        FaultError: it is not a zip, holds no pictures, or its labels are malformed.
        OSError: it cannot be opened.
    """

    is_sequential = False

    def __init__(self, path: Path, *, use_labels: bool = True) -> None:
        self.path = path
        self._container = Container(path)
        self._rows = image_rows(self._container)
        self.labels = read_labels(self._container, self._rows) if use_labels else None

    def __len__(self) -> int:
        return len(self._rows)

    def name(self, place: int) -> str:
        """What picture `place` is called in the zip."""
        return self._container.members.names.text(int(self._rows[place]))

    def read(self, place: int) -> bytes:
        """Picture `place`, encoded."""
        return self._container.read_row(int(self._rows[place]))

    def identities(self, places: Iterable[int]) -> Iterator[bytes]:
        """Name, size and checksum of each of these pictures."""
        members = self._container.members
        for place in places:
            row = int(self._rows[place])
            yield b"%s\0%d\0%d\n" % (members.names[row], members.num_bytes[row], members.crc[row])

    def iterate_sources(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Pictures of known origin, and what is known."""
        places = Places(self._container, self._rows, has_backslashes=False)
        for name, entry in iterate_sources(self._container):
            if (place := places.find(name)) is not None:
                yield place, entry

    def close(self) -> None:
        """Give the file descriptor back."""
        self._container.close()


def image_rows(container: Container) -> npt.NDArray[np.int32]:
    """Members that are pictures, in the sorted order of their names; Finder's `__MACOSX` and dot files do not count.

    Raises:
        FaultError: there are none.
    """
    names = container.members.names
    matches = _IMAGE.fullmatch
    has_backslashes = b"\\" in names.blob
    is_image = np.fromiter(
        (matches(name.replace(b"\\", b"/") if has_backslashes else name) is not None for name in names),
        bool,
        len(names),
    )
    rows = container.members.sorted_rows()
    rows = rows[is_image[rows]]
    if not len(rows):
        raise FaultError("empty", "holds no pictures")
    return rows


def refuse_shape(shape: PictureShape, name: str) -> None:
    """Raise FaultError unless the shape is one that a network can have."""
    mend = "run `bend package` on it with --resolution"
    if shape.height != shape.width:
        raise FaultError("not-square", f"{shape}: not square; {mend}", name)
    if shape.height < 4 or shape.height & (shape.height - 1):
        raise FaultError(
            "not-power-of-two", f"{shape}: the side is not a power of two of at least 4; {mend}", name
        )
