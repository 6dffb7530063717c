"""The data-set zip: the one owner of the format, reader and writer.

A stored (uncompressed) zip of equal square pictures in sorted order, with `dataset.json` at its root for
labels and, under a key that the official loader ignores, where each picture comes from. `docs/formats.md`
describes it.
Nothing here imports torch; cutting photos to size is `bend.prepare`'s work.
"""

from stylegan.archive.check import check_archive
from stylegan.archive.dataset import DatasetZip
from stylegan.archive.faults import Fault
from stylegan.archive.picture import encode_png
from stylegan.archive.writer import ArchiveWriter, write_archive

__all__ = ["ArchiveWriter", "DatasetZip", "Fault", "check_archive", "encode_png", "write_archive"]
