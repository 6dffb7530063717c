"""A data-set zip opened for training: pictures and labels by index, from any number of workers."""

import os
from pathlib import Path

from stylegan.archive.faults import FaultError, fault_as_error
from stylegan.archive.picture_set import PictureSet
from stylegan.archive.shard import ZipShard

__all__ = ["DatasetZip"]


class DatasetZip(PictureSet):
    """The pictures of a data-set zip, in the sorted order of their names.

    Reading takes no lock and reopens nothing: one object serves threads and forked workers, and pickles for
    spawned ones.

    Args:
        path: the zip file.
        max_images: use at most this many, spread evenly over the sorted names; None for all.
        xflip: append every picture's mirror image, so that the length doubles; the second half is mirrored.
        use_labels: read the labels; False takes the set as unconditional, whatever its `dataset.json` says.

    Raises:
        ArchiveError: it is not a data set that can be trained on; the message names the file and says why.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_images: int | None = None,
        xflip: bool = False,
        use_labels: bool = True,
    ) -> None:
        try:
            shard = ZipShard(Path(path), use_labels=use_labels)
        except FaultError as error:
            raise fault_as_error(path, error) from None
        super().__init__([shard], path=Path(path), name=Path(path).stem, max_images=max_images, xflip=xflip)
