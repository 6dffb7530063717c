"""Many shards opened as one data set, and whatever a person names opened as what it turns out to be."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stylegan.archive.dataset import DatasetZip
from stylegan.archive.faults import FaultError, fault_as_error
from stylegan.archive.picture_set import PictureSet
from stylegan.archive.shard import Shard, ZipShard
from stylegan.archive.shard_names import find_shards, is_shard_set, set_name
from stylegan.archive.tar_shard import TarShard, is_tar

__all__ = ["DatasetShards", "open_dataset", "open_shard"]

_THREADS = 4  # opening waits for the disk, or unpacks


class DatasetShards(PictureSet):
    """The pictures of several zips or WebDataset tars, one after the other, as one data set.

    Args:
        text: a pattern such as `rocks-*.zip` or `rocks-{00000..00009}.tar`, a folder of shards, a list, or one file.
        max_images: use at most this many, spread evenly over all shards; None for all.
        xflip: append every picture's mirror image, so that the length doubles; the second half is mirrored.
        use_labels: read the labels; False takes the set as unconditional.

    Raises:
        ArchiveError: there are no shards, one cannot be trained on, or they do not belong together.
    """

    def __init__(
        self,
        text: str | os.PathLike[str],
        *,
        max_images: int | None = None,
        xflip: bool = False,
        use_labels: bool = True,
    ) -> None:
        text = os.fspath(text)
        try:
            paths = find_shards(text)
        except FaultError as error:
            raise fault_as_error(text, error) from None
        super().__init__(
            _open_all(paths, use_labels),
            path=Path(text),
            name=set_name(text, paths),
            max_images=max_images,
            xflip=xflip,
        )


def open_dataset(
    text: str | os.PathLike[str],
    *,
    max_images: int | None = None,
    xflip: bool = False,
    use_labels: bool = True,
) -> PictureSet:
    """The data set that `text` means: a `DatasetZip`, or `DatasetShards`; arguments as theirs.

    Raises:
        ArchiveError: it cannot be trained on.
    """
    kind = DatasetShards if is_shard_set(os.fspath(text)) else DatasetZip
    return kind(text, max_images=max_images, xflip=xflip, use_labels=use_labels)


def open_shard(path: Path, *, use_labels: bool = True) -> Shard:
    """The zip or tar at `path`.

    Raises:
        FaultError: it is neither, or damaged.
        OSError: it cannot be opened.
    """
    return TarShard(path, use_labels=use_labels) if is_tar(path) else ZipShard(path, use_labels=use_labels)


def _open_all(paths: Sequence[Path], use_labels: bool) -> list[Shard]:
    def opened(path: Path) -> Shard:
        try:
            return open_shard(path, use_labels=use_labels)
        except FaultError as error:
            raise fault_as_error(path, error) from None

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="shards") as threads:
        return list(threads.map(opened, paths))
