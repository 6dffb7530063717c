"""Finds duplicates of pictures, by their bytes or by their looks.

Looks are compared by a 64-bit difference hash (Krawetz 2013, from the ImageHash library): resaved, scaled and slightly
recoloured copies differ in few bits. All earlier hashes are compared at once, as one array, which takes a millisecond
for 100,000 pictures. `bend.prepare.split` keeps lookalikes together by the same measure.
"""

import hashlib
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["Looks", "Seen", "content_digest", "difference_hash"]

NEAR_BITS = 4
"""Pictures whose hashes differ in at most this many of 64 bits look the same."""

_BLOCK_BYTES = 1 << 20
_BIT_COUNTS = np.array([bin(i).count("1") for i in range(1 << 16)], np.uint8)


def content_digest(file: BinaryIO) -> str:
    """SHA-256 of all of `file`."""
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def difference_hash(image: Image.Image) -> int:
    """64-bit difference hash of an RGB image."""
    import imagehash

    small = image.resize((72, 64), Image.Resampling.BOX)  # the library filters the full picture otherwise
    return int(str(imagehash.dhash(small, hash_size=8)), 16)


class Looks:
    """Difference hashes in the order they came, and which of them is like another."""

    def __init__(self) -> None:
        self._hashes: npt.NDArray[np.uint64] = np.zeros(1024, np.uint64)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, looks: int) -> None:
        """Append a hash."""
        if self._length == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
        self._hashes[self._length] = looks
        self._length += 1

    def find(self, looks: int) -> int | None:
        """Number of the nearest hash that looks the same as `looks`; None if none does."""
        known = self._hashes[: self._length]
        if not len(known):
            return None
        words = (known ^ np.uint64(looks)).view(np.uint16).reshape(-1, 4)
        distances = _BIT_COUNTS[words].sum(1)
        nearest = int(distances.argmin())
        return nearest if distances[nearest] <= NEAR_BITS else None


class Seen:
    """Pictures met so far, in the order they are to be kept."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}
        self._names: list[str] = []  # of the pictures in `_looks`
        self._looks = Looks()

    def twin(self, name: str, digest: str | None, looks: int | None) -> str | None:
        """Name of an earlier picture that is the same as `name`; if there is none, remember it.

        Args:
            name: of the picture at hand.
            digest: of its bytes; None compares no bytes.
            looks: its difference hash; None compares no looks.
        """
        if digest is not None and digest in self._digests:
            return self._digests[digest]
        if looks is not None and (twin := self._looks.find(looks)) is not None:
            return self._names[twin]
        if digest is not None:
            self._digests[digest] = name
        if looks is not None:
            self._looks.add(looks)
            self._names.append(name)
        return None
