"""Decides which zip a picture goes to when a part is split off, as for testing.

A picture's side is drawn from a hash of the seed and its own bytes, so that it stays the same whatever is added,
renamed or moved; the shares are met on average. Pieces of one parent stay together, and a picture that looks the same
as an earlier one follows it. A picture that looks like pictures on both sides goes to neither, so that lookalikes are
never separated.
"""

import hashlib
from collections.abc import Sequence

from bend.prepare.config import Split
from bend.prepare.dedupe import Looks

__all__ = ["Splitter"]


class Splitter:
    """Assigns pictures to sides: 0 for the main zip, 1 for that of the first split, and so on.

    Args:
        splits: the parts to split off.
        seed: of the draw.
    """

    def __init__(self, splits: Sequence[Split], seed: int) -> None:
        self._splits = splits
        self._seed = seed
        self._decided: dict[str, int] = {}
        self._looks = [Looks() for _ in range(len(splits) + 1)]

    def side(self, key: str, looks: Sequence[int] = ()) -> int:
        """The side of all images with this key.

        Args:
            key: identifies the parent of the images.
            looks: difference hashes of the parent's picture, or of its frames.
        """
        if not self._splits:
            return 0
        if key not in self._decided:
            liked = (side for each in looks for side in self._sides_like(each))
            drawn = next(liked, None)
            self._decided[key] = self._draw(key) if drawn is None else drawn
        return self._decided[key]

    def is_torn(self, looks: int | None, side: int) -> bool:
        """Whether a picture of `side` looks like one on another side."""
        return looks is not None and any(other != side for other in self._sides_like(looks))

    def remember(self, looks: int | None, side: int) -> None:
        """Remember the looks of a picture that was kept on `side`."""
        if self._splits and looks is not None:
            self._looks[side].add(looks)

    def _sides_like(self, looks: int) -> list[int]:
        return [side for side, known in enumerate(self._looks) if known.find(looks) is not None]

    def _draw(self, key: str) -> int:
        digest = hashlib.blake2b(f"{self._seed} {key}".encode(), digest_size=8).digest()
        position = int.from_bytes(digest) / 2**64
        for side, split in enumerate(self._splits, start=1):
            if position < split.share:
                return side
            position -= split.share
        return 0
