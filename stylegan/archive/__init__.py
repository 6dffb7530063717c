"""The data-set zip: the one owner of the format, reader and writer.

A stored (uncompressed) zip of equal square pictures in sorted order, with `dataset.json` at its root for
labels and, under a key that the official loader ignores, where each picture comes from; or many of them, or
WebDataset's tars, read as one. `docs/formats.md` describes them.
Nothing here imports torch; cutting photos to size is `bend.prepare`'s work.
"""

from stylegan.archive.check import check_archive, check_dataset
from stylegan.archive.dataset import DatasetZip
from stylegan.archive.faults import Fault
from stylegan.archive.picture import encode_png
from stylegan.archive.picture_set import PictureSet
from stylegan.archive.shards import DatasetShards, open_dataset
from stylegan.archive.writer import ArchiveWriter, write_archive

__all__ = [
    "ArchiveWriter",
    "DatasetShards",
    "DatasetZip",
    "Fault",
    "PictureSet",
    "check_archive",
    "check_dataset",
    "encode_png",
    "open_dataset",
    "write_archive",
]
