"""Labels in one array, entered in any order."""

import numpy as np
import pytest

from stylegan.archive.faults import FaultError
from stylegan.archive.labels import LabelColumn, label_dim, stack


def test_classes_and_vectors() -> None:
    assert stack([2, 0, 1]).tolist() == [2, 0, 1]
    assert stack([2, 0]).dtype == np.int64
    assert stack([[1, 2.5], (3, 4)]).tolist() == [[1, 2.5], [3, 4]]
    assert label_dim([None]) == 0
    assert label_dim([stack([0, 1]), stack([6])]) == 7
    assert label_dim([stack([[1, 2, 3]])]) == 3


def test_room_is_made_as_labels_come() -> None:
    column = LabelColumn(1)
    for place in range(1000):
        column.reserve(place + 1)
        column.put(place, [place, 0.5])
    assert column.finish()[:1000, 0].tolist() == list(range(1000))
    assert len(column.has_label) < 2500


@pytest.mark.parametrize(
    "values",
    [[1, [1]], [[1], [1, 2]], [True], ["a"], [None], [[]], [[float("nan")]], [0.5], [[1e39]], [[10**400]]],
)
def test_what_is_unlike_or_no_label_is_refused(values: list[object]) -> None:
    with pytest.raises(FaultError, match="all whole numbers, or all vectors"):
        stack(values)


def test_labels_larger_than_anybodys_are_refused() -> None:
    wide = [0.0] * 65536
    with pytest.raises(FaultError, match=r"65,536 numbers for 2,000 images take more than 256 MiB"):
        LabelColumn(2000).put(0, wide)
    column = LabelColumn(600)
    column.put(0, wide)
    column.reserve(1024)  # all that there may be, though room for twice as many would be too much
    with pytest.raises(FaultError, match=r"for 1,025 images .* class instead"):
        column.reserve(1025)


@pytest.mark.parametrize("value", [-1, 65536, 10**30])
def test_classes_have_bounds(value: int) -> None:
    with pytest.raises(FaultError, match=r"must lie in 0\.\.65535"):
        stack([0, value])
