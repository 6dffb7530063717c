"""The order of pictures, and the threads that fetch them."""

import threading
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from stylegan.errors import ArchiveError
from stylegan.training.data import BatchStream, Pictures, sample_index

Item = tuple[NDArray[np.uint8], NDArray[np.float32]]


class Numbered:
    """Pictures that show their own index."""

    def __init__(self, length: int, slow: bool = False) -> None:
        self.length = length
        self.slow = slow
        self.blocks: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Item:
        if self.slow:
            time.sleep(index % 3 / 1000)
        return np.full([1, 4, 4], index, np.uint8), np.array([index], np.float32)


def read(
    pictures: Pictures, num: int, *, batch: int = 4, position: int = 0, workers: int = 2, seed: int = 7
) -> list[int]:
    """Indices of the first `num` batches, and that pictures and labels belong together."""
    stream = BatchStream(pictures, batch=batch, position=position, seed=seed, workers=workers)
    indices: list[int] = []
    try:
        for _ in range(num):
            images, labels = stream.next()
            assert images.shape == (batch, 1, 4, 4)
            assert labels.shape == (batch, 1)
            assert images[:, 0, 0, 0].tolist() == labels[:, 0].tolist()
            indices += images[:, 0, 0, 0].tolist()
    finally:
        stream.close()
    return indices


def test_every_epoch_shows_every_picture_once_in_another_order() -> None:
    indices = read(Numbered(12), 6)
    first, second = indices[:12], indices[12:]
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second
    assert first != list(range(12))


def test_the_order_is_the_seeds() -> None:
    assert read(Numbered(12), 3) == read(Numbered(12), 3)
    assert read(Numbered(12), 3) != read(Numbered(12), 3, seed=8)


def test_going_on_from_a_position_is_exact() -> None:
    indices = read(Numbered(10), 6)
    for done in (4, 8, 12, 20):  # within an epoch, across its end, at the next one's
        assert read(Numbered(10), 6 - done // 4, position=done) == indices[done:]


@pytest.mark.parametrize("workers", [1, 3, 16])
def test_the_number_of_workers_changes_nothing(workers: int) -> None:
    assert read(Numbered(10, slow=True), 5, workers=workers) == read(Numbered(10), 5)


def test_a_batch_larger_than_the_data_set_goes_on_into_the_next_epochs() -> None:
    indices = read(Numbered(3), 2, batch=8)
    assert [sorted(indices[i : i + 3]) for i in range(0, 15, 3)] == [[0, 1, 2]] * 5


def test_one_picture_is_enough() -> None:
    assert read(Numbered(1), 2, batch=5) == [0] * 10


def test_sample_index_is_the_streams_order() -> None:
    assert [sample_index(i, 10, 7) for i in range(24)] == read(Numbered(10), 6)


def test_pictures_in_blocks_are_read_from_few_of_them_at_a_time() -> None:
    blocks = (20,) * 10
    order = [sample_index(i, 200, 3, blocks) for i in range(400)]
    assert sorted(order[:200]) == sorted(order[200:]) == list(range(200))
    assert order[:200] != order[200:]
    for epoch in (order[:200], order[200:]):
        for start in range(0, 200, 60):
            assert len({index // 20 for index in epoch[start : start + 60]}) <= 3
        assert len({index // 20 for index in epoch[:20]}) > 1
    numbered = Numbered(200)
    numbered.blocks = blocks
    assert read(numbered, 100, seed=3) == order
    assert read(numbered, 63, seed=3, position=148) == order[148:]  # a resume, in the middle of blocks


def test_a_picture_that_cannot_be_read_stops_the_stream() -> None:
    class Damaged(Numbered):
        def __getitem__(self, index: int) -> Item:
            if index == 5:
                raise ArchiveError("rocks.zip: 5.png is damaged; package it again")
            return super().__getitem__(index)

    with pytest.raises(ArchiveError, match=r"5\.png is damaged"):
        read(Damaged(10), 3)


def test_a_closed_stream_leaves_no_threads() -> None:
    read(Numbered(10), 2, workers=4)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("pictures")]
