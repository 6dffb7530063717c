"""Columns of pictures, each under a label: the sheet of a timeline or a dial."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bend.picture import Pixels

__all__ = ["columns_of", "labelled_sheet", "sheet_shape"]

_HEAD, _INK, _PAPER = 18, (214, 214, 214), (16, 16, 16)
_MARGIN, _TEXT, _LEAST_TEXT = 0.25, 0.55, 0.4  # of the head: before a label, and how high its text is


def labelled_sheet(labels: Sequence[str], columns: Sequence[Sequence[Pixels]]) -> Pixels:
    """Lay columns side by side, each under its label.

    Args:
        labels: one a column.
        columns: pictures uint8 `[H, W, 3]` from top to bottom, as many in each column and all of one size.

    Returns:
        uint8 `[head + rows * H, columns * W, 3]`.
    """
    height, width = columns[0][0].shape[:2]
    head = _head(height)
    sheet = Image.new("RGB", (width * len(columns), head + height * len(columns[0])), _PAPER)
    font = _font(labels, head, width)
    for index, (label, pictures) in enumerate(zip(labels, columns, strict=True)):
        strip = Image.new("RGB", (width, head), _PAPER)  # which cuts off what does not fit
        ImageDraw.Draw(strip).text((head * _MARGIN, head / 2), label, fill=_INK, font=font, anchor="lm")
        sheet.paste(strip, (width * index, 0))
        for row, picture in enumerate(pictures):
            sheet.paste(Image.fromarray(picture), (width * index, head + height * row))
    return np.asarray(sheet)


def columns_of(sheet: Pixels, num_columns: int, num_rows: int, height: int, width: int) -> list[list[Pixels]]:
    """The columns that `labelled_sheet` was given.

    Args:
        sheet: what it made.
        num_columns: how many columns.
        num_rows: pictures of each.
        height, width: of a picture.

    Raises:
        ValueError: it did not make this sheet of such pictures.
    """
    if sheet.shape != sheet_shape(num_columns, num_rows, height, width):
        raise ValueError(
            f"a sheet of {sheet.shape} does not hold {num_columns} columns of {num_rows} pictures"
        )
    rows = range(_head(height), len(sheet), height)
    return [
        [sheet[top : top + height, left : left + width] for top in rows]
        for left in range(0, num_columns * width, width)
    ]


def sheet_shape(num_columns: int, num_rows: int, height: int, width: int) -> tuple[int, int, int]:
    """The shape of what `labelled_sheet` makes, arguments as for `columns_of`."""
    return _head(height) + num_rows * height, num_columns * width, 3


def _font(labels: Sequence[str], head: int, width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The largest usual font with which all labels fit into columns of a width, or the smallest legible one."""
    font = ImageFont.load_default(size=head * _TEXT)
    fit = (width - head * _MARGIN) / max(font.getlength(label) for label in labels)
    return ImageFont.load_default(size=head * max(min(fit, 1.0) * _TEXT, _LEAST_TEXT))


def _head(height: int) -> int:
    """Pixels above the pictures, by the height of one."""
    return max(_HEAD, height // 12)
