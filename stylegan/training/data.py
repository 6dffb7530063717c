"""The order in which a training sees its pictures, and the threads that fetch them ahead of it.

The order is a function of the seed and of the number of images seen: epoch e shows a permutation drawn from
(seed, e). A resumed run therefore needs no other state than its image count.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["BatchStream", "PictureSet", "sample_index"]


class PictureSet(Protocol):
    """What the training needs of a data set; `stylegan.archive.DatasetZip` is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Picture `[C, H, W]` and label `[label_dim]`."""


def sample_index(position: int, length: int, seed: int) -> int:
    """Which of `length` pictures is the `position`-th one seen."""
    epoch, offset = divmod(position, length)
    return int(_permutation(seed, epoch, length)[offset])


class BatchStream:
    """Batches in training order, fetched one step ahead.

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
        pictures: PictureSet,
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
        self._ahead = self._fetch()

    def next(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The next batch, or the share of it: pictures `[N, C, H, W]` and labels `[N, label_dim]`."""
        futures = self._ahead
        self._ahead = self._fetch()
        items = [future.result() for future in futures]
        return np.stack([item[0] for item in items]), np.stack([item[1] for item in items])

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _fetch(self) -> list[Future[tuple[NDArray[np.uint8], NDArray[np.float32]]]]:
        positions = [self._position + place for place in self._share]
        self._position += self._batch
        indices = [sample_index(position, len(self._pictures), self._seed) for position in positions]
        return [self._pool.submit(self._pictures.__getitem__, index) for index in indices]


@lru_cache(maxsize=2)
def _permutation(seed: int, epoch: int, length: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(length)
