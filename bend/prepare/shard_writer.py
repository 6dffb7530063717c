"""Writes a data set as several zips of equally many pictures: `rocks-00000-of-00004.zip` and so on.

The number of zips is known only at the end. So they are written to a hidden folder beside their place, verified, and
renamed together. If the power fails in between, whoever opens the incomplete set refuses it, since the names say how
many zips there are.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stylegan.archive import ArchiveWriter
from stylegan.archive.metadata import Label
from stylegan.atomic import flush_folder, sweep_folder, temporary_name

__all__ = ["ShardWriter", "shards_there"]


class ShardWriter:
    """An `ArchiveWriter` of several zips.

    Args:
        path: what they are named after.
        shard_size: pictures in each zip; the last one holds the rest.
        replace: whether an older set of that name is replaced.
        progress: called with (pictures read back, pictures in all) while a zip is verified.

    Raises:
        ArchiveError, OSError: as `ArchiveWriter`; what was there stays.
        FileExistsError: on leaving, one of the zips is there and must not be replaced.
    """

    def __init__(
        self,
        path: Path,
        *,
        shard_size: int,
        replace: bool,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.path = path
        self.paths: tuple[Path, ...] = ()
        """The zips, once they have their names."""
        self.is_named = False
        self._shard_size = shard_size
        self._replace = replace
        self._progress = progress
        self._full: list[Path] = []
        self._num_full = 0
        self._open: ArchiveWriter | None = None

    def __enter__(self) -> Self:
        sweep_folder(self.path.parent)  # of sets whose writers were killed
        self._folder = self.path.with_name(temporary_name(f"{self.path.stem}-shards"))
        self._folder.mkdir(parents=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                if self._open is not None:
                    self._open.__exit__(kind, error, trace)
                return
            self.finish()
            self._name()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __len__(self) -> int:
        return self._num_full + (0 if self._open is None else len(self._open))

    def add_encoded(
        self, png: bytes, *, label: Label | None = None, source: Mapping[str, Any] | None = None
    ) -> str:
        """Append a picture, as `ArchiveWriter.add_encoded` does."""
        if self._open is not None and len(self._open) == self._shard_size:
            self.finish()
        if self._open is None:
            path = self._folder / f"{len(self._full):05d}{self.path.suffix}"
            self._open = ArchiveWriter(path, progress=self._progress).__enter__()
        return self._open.add_encoded(png, label=label, source=source)

    def finish(self) -> None:
        """Complete the zip that is being filled, and read it back."""
        if self._open is None:
            return
        full, self._open = self._open, None
        full.__exit__(None, None, None)
        self._full.append(full.path)
        self._num_full += len(full)

    def _name(self) -> None:
        stale = set(shards_there(self.path))
        names = [f"{self.path.stem}-{i:05d}-of-{len(self._full):05d}" for i in range(len(self._full))]
        self.paths = tuple(self.path.with_name(name + self.path.suffix) for name in names)
        if stale and not self._replace:
            raise FileExistsError(17, os.strerror(17), str(min(stale)))
        for full, path in zip(self._full, self.paths, strict=True):
            full.replace(path)
        flush_folder(self.path.parent)
        self.is_named = True
        for path in stale - set(self.paths):
            with contextlib.suppress(OSError):
                path.unlink()


def shards_there(path: Path) -> list[Path]:
    """The zips of a set named after `path` that are there already, whole or not."""
    pattern = re.compile(rf"{re.escape(path.stem)}-\d{{5,}}-of-\d{{5,}}{re.escape(path.suffix)}")
    folder = path.parent
    return sorted(one for one in folder.iterdir() if pattern.fullmatch(one.name)) if folder.is_dir() else []
