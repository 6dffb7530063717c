"""Cuts many training images out of one large photo: random squares that overlap little and show some detail.

The side of a tile is drawn log-uniformly between a quarter of the photo's shorter side and all of it, so that a set
mixes close-ups with views. If many tiles are wanted, both limits are lowered until the tiles fit beside one another,
but not below the resolution unless the photo is smaller. A tile is refused if it overlaps an earlier one by more than
0.15 of the area (then 0.35, then 0.5, if there is no room), or if most of it shows no detail: sky, walls and blur have
hardly any local contrast.
"""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from bend.prepare.crop import Box, Crop, grey_copy

__all__ = ["choose_tiles", "side_range"]

FLAT_CONTRAST = 3.0
"""A spot is flat if the differences to its neighbours, down and across, add up to fewer grey levels than this.

They are measured in a copy 512 pixels long."""
LEAST_DETAILED = 0.4
"""The least part of a tile that must not be flat: one edge across an empty sky is not enough."""

_OVERLAP_LIMITS = (0.15, 0.35, 0.5)  # of the smaller tile's area
_TRIES_PER_TILE = 40
_SHARE_COVERED = 0.6  # of the photo's area, by all tiles together
_ANALYSED_SIDE = 512
_CELL = 4  # pixels of that copy


def choose_tiles(
    image: Image.Image, full_size: tuple[int, int], num_tiles: int, resolution: int, rng: np.random.Generator
) -> list[Crop]:
    """Up to `num_tiles` squares of the photo; fewer if there is no room, none if all of it is flat.

    Args:
        image: upright RGB, perhaps decoded smaller than the file is.
        full_size: width and height of the upright file.
        num_tiles: how many are wanted.
        resolution: side of the training image in pixels.
        rng: draws the places; the same state gives the same tiles.
    """
    detail = _DetailMap(image, full_size)
    chosen: list[Box] = []
    taken = np.zeros((num_tiles, 4), np.int64)  # the same boxes, to be compared all at once
    for limit in _OVERLAP_LIMITS:
        for _ in range(_TRIES_PER_TILE * num_tiles):
            if len(chosen) == num_tiles:
                break
            box = _draw(full_size, num_tiles, resolution, rng)
            is_clear = detail.share(box) >= LEAST_DETAILED and _overlap(box, taken[: len(chosen)]) <= limit
            if is_clear:
                taken[len(chosen)] = box
                chosen.append(box)
    return [Crop(box=box) for box in chosen]


def side_range(full_size: tuple[int, int], num_tiles: int, resolution: int) -> tuple[int, int]:
    """Smallest and largest side of a tile in pixels of the file."""
    shortest = min(full_size)
    fair = math.sqrt(_SHARE_COVERED * full_size[0] * full_size[1] / num_tiles)
    smallest = min(shortest, max(resolution, round(min(shortest / 4, 0.6 * fair))))
    largest = min(shortest, max(smallest, round(2 * fair)))
    return smallest, largest


def _draw(full_size: tuple[int, int], num_tiles: int, resolution: int, rng: np.random.Generator) -> Box:
    smallest, largest = side_range(full_size, num_tiles, resolution)
    side = min(largest, round(math.exp(rng.uniform(math.log(smallest), math.log(largest)))))
    left = int(rng.integers(0, full_size[0] - side, endpoint=True))
    top = int(rng.integers(0, full_size[1] - side, endpoint=True))
    return (left, top, left + side, top + side)


def _overlap(box: Box, others: npt.NDArray[np.int64]) -> float:
    """Largest area that a square shares with one of `others`, [n, 4], as a part of the smaller one's."""
    widths = np.minimum(others[:, 2], box[2]) - np.maximum(others[:, 0], box[0])
    heights = np.minimum(others[:, 3], box[3]) - np.maximum(others[:, 1], box[1])
    smaller = np.minimum(others[:, 2] - others[:, 0], box[2] - box[0])
    return float((widths.clip(0) * heights.clip(0) / smaller**2).max(initial=0.0))


class _DetailMap:
    """Which share of any box shows detail, in constant time, by a summed-area table (Crow 1984)."""

    def __init__(self, image: Image.Image, full_size: tuple[int, int]) -> None:
        grey = grey_copy(image, _ANALYSED_SIDE).astype(np.float64)
        contrast = np.zeros_like(grey)
        contrast[:, 1:] += np.abs(np.diff(grey, axis=1))
        contrast[1:, :] += np.abs(np.diff(grey, axis=0))
        detailed = _cell_means(contrast) >= FLAT_CONTRAST
        self._sums: npt.NDArray[np.float64] = np.zeros((detailed.shape[0] + 1, detailed.shape[1] + 1))
        self._sums[1:, 1:] = detailed.cumsum(0).cumsum(1)
        self._scale = (detailed.shape[1] / full_size[0], detailed.shape[0] / full_size[1])

    def share(self, box: Box) -> float:
        """Part of the box, given in pixels of the file, that shows detail: 0 to 1."""
        height, width = self._sums.shape
        left = min(int(box[0] * self._scale[0]), width - 2)
        top = min(int(box[1] * self._scale[1]), height - 2)
        right = min(max(left + 1, round(box[2] * self._scale[0])), width - 1)
        bottom = min(max(top + 1, round(box[3] * self._scale[1])), height - 1)
        sums = self._sums
        total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        return float(total / ((bottom - top) * (right - left)))


def _cell_means(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Means over cells of `_CELL` by `_CELL`; incomplete cells at the right and bottom are left out."""
    rows, columns = (max(1, length // _CELL) for length in values.shape)
    high, wide = min(_CELL, values.shape[0]), min(_CELL, values.shape[1])
    cells = values[: rows * high, : columns * wide].reshape(rows, high, columns, wide)
    return np.asarray(cells.mean((1, 3)))
