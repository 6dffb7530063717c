"""The order in which a training sees its pictures, and the threads that fetch them ahead of it.

The order is a function of the seed and of the number of images seen: epoch e shows a permutation drawn from
(seed, e). A resumed run therefore needs no other state than its image count.

Where pictures lie in blocks that take long to open (tars packed by gzip), the permutation is like that of a shuffle
buffer: blocks come in random order, and pictures are shuffled within every `_TOGETHER` of them. It too is a function of
(seed, e).
"""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["BatchStream", "Pictures", "sample_index"]

# Blocks. Twice as many are kept open (`stylegan.archive.random_file`), for the change to the next ones.
_TOGETHER = 3
_BATCHES_AHEAD = 4


class Pictures(Protocol):
    """What a stream needs of a data set; `stylegan.archive.PictureSet` is one."""

    @property
    def blocks(self) -> tuple[int, ...] | None:
        """How many pictures each block has; None where pictures can be read in any order equally fast."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Picture `[C, H, W]` and label `[label_dim]`."""


def sample_index(position: int, length: int, seed: int, blocks: tuple[int, ...] | None = None) -> int:
    """Which of `length` pictures is the `position`-th one seen.

    Args:
        position: how many were seen before.
        length: pictures in all.
        seed: of the order.
        blocks: see `Pictures.blocks`.
    """
    epoch, offset = divmod(position, length)
    return int(_permutation(seed, epoch, length, blocks)[offset])


class BatchStream:
    """Batches in training order, fetched ahead: one, or several where blocks take long to open.

    Args:
        pictures: the data set; read from several threads.
        batch: pictures a batch.
        position: number of pictures seen so far.
        seed: seed of the order.
        workers: threads.
        share: which pictures of each batch to fetch, by their place in it; None for all.
    """

    def __init__(
        self,
        pictures: Pictures,
        *,
        batch: int,
        position: int,
        seed: int,
        workers: int,
        share: range | None = None,
    ) -> None:
        self._pictures = pictures
        self._batch = batch
        self._share = range(batch) if share is None else share
        self._position = position
        self._seed = seed
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="pictures")
        num_ahead = 1 if pictures.blocks is None else _BATCHES_AHEAD
        self._ahead = deque(self._fetch() for _ in range(num_ahead))

    def next(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The next batch, or the share of it: pictures `[N, C, H, W]` and labels `[N, label_dim]`."""
        futures = self._ahead.popleft()
        self._ahead.append(self._fetch())
        items = [future.result() for future in futures]
        return np.stack([item[0] for item in items]), np.stack([item[1] for item in items])

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _fetch(self) -> list[Future[tuple[NDArray[np.uint8], NDArray[np.float32]]]]:
        positions = [self._position + place for place in self._share]
        self._position += self._batch
        length, blocks = len(self._pictures), self._pictures.blocks
        indices = [sample_index(position, length, self._seed, blocks) for position in positions]
        return [self._pool.submit(self._pictures.__getitem__, index) for index in indices]


@lru_cache(maxsize=2)
def _permutation(
    seed: int, epoch: int, length: int, blocks: tuple[int, ...] | None
) -> NDArray[np.int32] | NDArray[np.int64]:
    rng = np.random.default_rng([seed, epoch])
    if blocks is None:
        return _narrow(rng.permutation(length))
    starts = np.cumsum([0, *blocks])
    runs = [np.arange(starts[i], starts[i + 1]) for i in rng.permutation(len(blocks))]
    groups = [np.concatenate(runs[i : i + _TOGETHER]) for i in range(0, len(runs), _TOGETHER)]
    return _narrow(np.concatenate([rng.permutation(group) for group in groups]))


def _narrow(order: NDArray[np.int64]) -> NDArray[np.int32] | NDArray[np.int64]:
    return order.astype(np.int32) if len(order) < 2**31 else order
