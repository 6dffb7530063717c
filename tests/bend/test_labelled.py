"""Sheets of labelled columns."""

import numpy as np
import pytest

from bend.labelled import columns_of, labelled_sheet


@pytest.mark.parametrize("side", [16, 32, 64, 200])
def test_a_label_stays_above_its_column(side: int) -> None:
    columns = [[np.full((side, side, 3), shade, np.uint8)] * 2 for shade in (50, 100, 200)]
    sheet = labelled_sheet(["raw, 0.015625 kimg", "", "1"], columns)
    head = len(sheet) - 2 * side
    written = (sheet[:head].max(axis=2) > 100).any(axis=0)
    assert written[:side].any()
    assert not written[side : 2 * side].any()
    assert written[2 * side :].any()
    assert np.array_equal(columns_of(sheet, 3, 2, side, side), columns)


def test_a_long_label_is_written_smaller() -> None:
    columns = [[np.zeros((64, 64, 3), np.uint8)]] * 2
    heights = []
    for label in ("0.0625", "raw, 0.25 kimg"):
        head = labelled_sheet([label, "0.0625"], columns)[:-64, 64:]
        heights.append(np.count_nonzero((head > 60).any(axis=(1, 2))))
        assert not (head[:, -3:] > 60).any()
    assert heights[0] > heights[1]
