"""Sheets: places, empty cells, and refusals."""

import numpy as np
import pytest

from bend.errors import SettingsError
from bend.grid import sheet, square


@pytest.mark.parametrize(
    ("num", "shape"),
    [
        (1, (1, 1)),
        (2, (2, 1)),
        (3, (2, 2)),
        (5, (3, 2)),
        (8, (4, 2)),
        (10, (4, 3)),
        (16, (4, 4)),
        (17, (5, 4)),
        (32, (8, 4)),
    ],
)
def test_square(num: int, shape: tuple[int, int]) -> None:
    assert square(num) == shape


def test_sheet_lays_row_by_row() -> None:
    pictures = [np.full([2, 3, 3], value, np.uint8) for value in (10, 20, 30)]
    surface = sheet(iter(pictures), columns=2, rows=2)
    assert surface.shape == (4, 6, 3)
    assert surface[0, 0, 0] == 10
    assert surface[1, 5, 0] == 20
    assert surface[3, 2, 0] == 30
    assert not surface[2:, 3:].any()


def test_sheet_refuses_too_many_and_none() -> None:
    with pytest.raises(SettingsError, match="no more than 1"):
        sheet([np.zeros([1, 1, 3], np.uint8)] * 2, 1, 1)
    with pytest.raises(SettingsError, match="at least one"):
        sheet([], 1, 1)
