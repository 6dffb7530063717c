"""A WebDataset shard: a tar of pictures and, where there are labels, a small file beside each.

A plain tar is read at random by offset. One packed by gzip must be unpacked whole for that, so that its pictures are
best read one soon after another (`stylegan.training.data` orders them so).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from stylegan.archive.container import MAX_MEMBER_BYTES
from stylegan.archive.faults import FaultError
from stylegan.archive.random_file import RandomFile, UnpackedFile
from stylegan.archive.tar_index import load_index

__all__ = ["TAR_SUFFIXES", "TarMembers", "TarShard", "is_tar"]

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")

_GZIP_MAGIC = b"\x1f\x8b"


def is_tar(path: Path) -> bool:
    """Whether a file is, by its name, a tar, packed by gzip or not."""
    return path.name.lower().endswith(TAR_SUFFIXES)


class TarShard:
    """The pictures of a tar, in its own order.

    Args:
        path: the tar; packed by gzip if it begins as such a file does.
        use_labels: whether to give the labels.

    Raises:
        FaultError: it is damaged, holds no pictures, or its labels are malformed.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, *, use_labels: bool = True) -> None:
        self.path = path
        if not path.exists():
            raise FaultError("missing", "no such file")
        with path.open("rb") as file:
            self.is_sequential = file.read(2) == _GZIP_MAGIC
        self._file = UnpackedFile(path) if self.is_sequential else RandomFile(path)
        self._index = load_index(path, self._file.read)
        self.labels = self._index.labels if use_labels else None

    def __len__(self) -> int:
        return len(self._index.names)

    def name(self, place: int) -> str:
        """What picture `place` is called in the tar."""
        return self._index.names[place].decode(errors="backslashreplace")

    def read(self, place: int) -> bytes:
        """Picture `place`, encoded.

        Raises:
            FaultError: it is too large, or the tar has been cut since.
        """
        num_bytes = int(self._index.sizes[place])
        if num_bytes > MAX_MEMBER_BYTES:
            raise FaultError(
                "too-large",
                f"{num_bytes:,} bytes, more than the {MAX_MEMBER_BYTES:,} allowed",
                self.name(place),
            )
        read = self._file.read
        # Opening a data set reads the first picture of every shard, which must not unpack all of them.
        if place == 0 and isinstance(self._file, UnpackedFile):
            read = self._file.read_from_front
        data = read(num_bytes, int(self._index.offsets[place]))
        if len(data) != num_bytes:
            raise FaultError("truncated", "cut short; make or download the tar again", self.name(place))
        return data

    def identities(self, places: Iterable[int]) -> Iterator[bytes]:
        """Name and size of each of these pictures: a tar has no checksums of what it holds."""
        for place in places:
            yield b"%s\0%d\n" % (self._index.names[place], self._index.sizes[place])

    def iterate_sources(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Nothing: a tar does not tell where pictures come from."""
        return iter(())

    def close(self) -> None:
        """Close what is open."""
        self._file.close()


class TarMembers:
    """The pictures of a tar by their names, as `Container` has a zip's; arguments and errors as `TarShard`."""

    def __init__(self, path: Path) -> None:
        self._shard = TarShard(path, use_labels=False)
        self._places = {self._shard.name(place): place for place in range(len(self._shard))}

    def read(self, name: str) -> bytes:
        """The bytes of a picture."""
        return self._shard.read(self._places[name])
