"""The size and the encoding of the frames that are sent to a page."""

import io
from collections.abc import Sequence

from PIL import Image

from bend.picture import Pixels

__all__ = ["Pace", "encode"]

_SLOW_S, _QUICK_S = 0.055, 0.012
_MEMORY = 0.7  # how much of the mean time an older frame keeps
_PATIENCE = 6  # frames at a size before another one is tried
_FIRST_SIDE = 256
_QUALITY = 88


class Pace:
    """Chooses the size of frames while something moves, by how long they take.

    Args:
        sides: resolutions at which drawing can stop, the largest first.
    """

    def __init__(self, sides: Sequence[int]) -> None:
        self._sides = list(sides)
        self._level = next((i for i, side in enumerate(sides) if side <= _FIRST_SIDE), len(sides) - 1)
        self._mean = 0.0
        self._num = 0

    @property
    def most(self) -> int:
        """The resolution to stop at."""
        return self._sides[self._level]

    def took(self, seconds: float, *, is_whole: bool) -> None:
        """Adapt to the time that a frame took."""
        if is_whole:
            return
        self._mean = seconds if self._num == 0 else _MEMORY * self._mean + (1 - _MEMORY) * seconds
        self._num += 1
        if self._num < _PATIENCE:
            return
        if self._mean > _SLOW_S and self._level < len(self._sides) - 1 and self._sides[self._level] > 64:
            self._level, self._num = self._level + 1, 0
        elif self._mean < _QUICK_S and self._level > 0:
            self._level, self._num = self._level - 1, 0


def encode(picture: Pixels, *, is_whole: bool) -> tuple[str, bytes]:
    """The media type and bytes of a picture `[H, W, 3]`: PNG at rest unless it is large, JPEG while moving."""
    file = io.BytesIO()
    image = Image.fromarray(picture)
    if is_whole and max(image.size) <= 512:
        image.save(file, "PNG", compress_level=1)
        return "image/png", file.getvalue()
    image.save(file, "JPEG", quality=95 if is_whole else _QUALITY, subsampling=0)
    return "image/jpeg", file.getvalue()
