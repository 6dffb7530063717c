"""Writing a data-set zip: stored members, fixed dates, the same bytes for the same pictures.

The zip grows under a temporary name, is read back picture by picture, and takes its final name only when
nothing is wrong with it; a full disk, an interrupt or an exception leaves what was there before.
"""

import contextlib
import os
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from stylegan.archive.check import check_archive
from stylegan.archive.metadata import METADATA_NAME, Label, compose_metadata
from stylegan.archive.picture import encode_png
from stylegan.atomic import atomic_path
from stylegan.errors import ArchiveError

__all__ = ["ArchiveWriter", "member_name", "write_archive"]

MAX_IMAGES = 10**8  # eight digits in a name

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can express
_UNIX = 3
_REGULAR_0644 = 0o100644 << 16


class ArchiveWriter:
    """A data-set zip being written; a context manager, whole on success and absent on failure.

        with ArchiveWriter("rocks.zip") as archive:
            archive.add(pixels, source={"creator": "…", "license": "cc0"})

    Args:
        path: the zip to make; an older one of that name is replaced at the end.
        replace: False keeps a zip of that name that exists at the end, and raises.
        progress: called with (pictures read back, pictures in all) while the zip is verified.

    Raises:
        ArchiveError: on leaving, no picture was added, labels are incomplete, or the zip read back is faulty.
        FileExistsError: on leaving, a zip is there that is not to be replaced.
        OSError: the disk is full or the folder cannot be written; `path` is as it was.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        replace: bool = True,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.path = Path(path)
        self._replace = replace
        self._progress = progress
        self._names: list[str] = []
        self._labels: list[Label | None] = []
        self._sources: list[Mapping[str, Any] | None] = []
        self._is_finished = False
        self.is_named = False

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._temporary = stack.enter_context(atomic_path(self.path, replace=self._replace))
            self._zip = zipfile.ZipFile(self._temporary, "w", zipfile.ZIP_STORED)
            stack.callback(self._close_zip)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with _naming(self.path), self._stack:
            self.finish()
        self.is_named = True

    @property
    def paths(self) -> tuple[Path, ...]:
        """The zip."""
        return (self.path,)

    def __len__(self) -> int:
        return len(self._names)

    def add(
        self,
        pixels: npt.NDArray[np.uint8],
        *,
        label: Label | np.integer[Any] | npt.NDArray[Any] | None = None,
        source: Mapping[str, Any] | None = None,
    ) -> str:
        """Append a picture, uint8 [H, W, 3], [H, W, 1] or [H, W], and return its name in the zip.

        Args:
            pixels: the picture.
            label: class index or vector, Python's or numpy's; all pictures have one, or none has.
            source: what is known of its origin (source, license, creator, page_url, parent, …), JSON-able.

        Raises:
            ValueError: another shape or type.
            OSError: the disk is full.
        """
        plain = label.tolist() if isinstance(label, np.integer | np.ndarray) else label
        return self.add_encoded(encode_png(pixels), label=plain, source=source)

    def add_encoded(
        self, png: bytes, *, label: Label | None = None, source: Mapping[str, Any] | None = None
    ) -> str:
        """Append a picture already encoded by `encode_png`, as workers hand it over; otherwise as `add`."""
        if len(self._names) >= MAX_IMAGES:
            raise ArchiveError(f"{self.path}: more than {MAX_IMAGES:,} images do not fit the format")
        name = member_name(len(self._names))
        self._write(name, png)
        sys.audit("failpoint", "member", str(self.path))
        self._names.append(name)
        self._labels.append(label)
        self._sources.append(source)
        return name

    def finish(self) -> None:
        """Complete the zip, read it back and flush it, so that leaving has only to give it its name.

        Leaving does this by itself; zips that belong together are all finished before the first is named.

        Raises:
            ArchiveError, OSError: as on leaving.
        """
        if self._is_finished:
            return
        with _naming(self.path):
            self._finish()
            with self._temporary.open("rb+") as file:
                os.fsync(file.fileno())
        self._is_finished = True

    def _write(self, name: str, data: bytes) -> None:
        info = zipfile.ZipInfo(name, _DATE)
        info.create_system = _UNIX
        info.external_attr = _REGULAR_0644
        with _naming(self.path):
            self._zip.writestr(info, data)

    def _finish(self) -> None:
        if not self._names:
            raise ArchiveError(f"{self.path}: no image to write")
        try:
            metadata = compose_metadata(self._names, self._labels, self._sources)
        except ValueError as error:
            raise ArchiveError(f"{self.path}: {error}") from None
        self._write(METADATA_NAME, metadata)
        self._zip.close()
        faults = check_archive(self._temporary, progress=self._progress)
        if faults:
            more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
            raise ArchiveError(f"{self.path}: not written, since read back it is faulty: {faults[0]}{more}")

    def _close_zip(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # closing writes the directory, perhaps to a full disk
            self._zip.close()


def write_archive(
    path: str | os.PathLike[str],
    images: Iterable[npt.NDArray[np.uint8]],
    *,
    labels: Iterable[Label | np.integer[Any] | npt.NDArray[Any]] | None = None,
    sources: Iterable[Mapping[str, Any]] | None = None,
) -> int:
    """Write `images`, each uint8 [H, W, C], to the zip `path`; labels and sources go along in the same order.

    Returns:
        How many were written.

    Raises:
        ArchiveError, OSError: as `ArchiveWriter`.
        ValueError: fewer or more labels or sources than images, or an image of another shape or type.
    """
    pictures = list(images)
    all_labels = [None] * len(pictures) if labels is None else list(labels)
    all_sources = [None] * len(pictures) if sources is None else list(sources)
    with ArchiveWriter(path) as archive:
        for pixels, label, source in zip(pictures, all_labels, all_sources, strict=True):
            archive.add(pixels, label=label, source=source)
    return len(pictures)


def member_name(index: int) -> str:
    """Name of picture `index` in the zip: eight digits, in a folder of the first five."""
    digits = f"{index:08d}"
    return f"{digits[:5]}/img{digits}.png"


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """A full disk is reported by the system without a name; put the archive's there."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise
