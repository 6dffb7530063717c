"""Sheets: many pictures of one size on one surface, row by row, edge to edge."""

import math
from collections.abc import Iterable

import numpy as np

from bend.errors import SettingsError
from bend.picture import Pixels

__all__ = ["sheet", "square"]


def square(num: int) -> tuple[int, int]:
    """The columns and rows of the squarest sheet that holds `num` pictures, wider rather than higher.

    A sheet without empty places is preferred to a squarer one if it is at most twice as wide as high.
    """
    side = math.ceil(math.sqrt(num))
    widths = range(side, math.isqrt(2 * num) + 1)
    columns = next((width for width in widths if num % width == 0), side)
    return columns, math.ceil(num / columns)


def sheet(pictures: Iterable[Pixels], columns: int, rows: int) -> Pixels:
    """Lay pictures out, uint8 `[rows * H, columns * W, 3]`; empty places are black.

    Only the sheet is held in memory, so that `pictures` may be drawn one by one.

    Args:
        pictures: uint8 `[H, W, 3]`, all of one size, at least one and at most `columns * rows`.
        columns: pictures in a row.
        rows: rows of pictures.

    Raises:
        SettingsError: no picture, or more pictures than places.
    """
    surface: Pixels | None = None
    for index, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        if surface is None:
            surface = np.zeros([rows * height, columns * width, 3], dtype=np.uint8)
        row, column = divmod(index, columns)
        if row >= rows:
            raise SettingsError(f"a grid of {columns}x{rows} holds no more than {columns * rows} pictures")
        surface[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    if surface is None:
        raise SettingsError("a sheet needs a picture; give at least one seed")
    return surface
