"""The files below a folder, whichever links lead about in it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

__all__ = ["walk"]


def walk(root: Path, refuse: Callable[[OSError], object], *, without: Path | None = None) -> Iterator[Path]:
    """Yield what lies below `root` and is not a folder, sorted folder by folder, without hidden files and folders.

    Links to folders are followed, and each folder is walked once, whichever links lead to it or back to it.

    Args:
        root: the folder.
        refuse: called with the error of a folder that cannot be listed, which is passed over unless this raises.
        without: a folder that is passed over with all that is in it, wherever it lies; it may not be there.
    """
    seen: set[tuple[int, int]] = set()
    if without is not None and without.is_dir():
        seen.add(_identity(without))
    for folder, subfolders, names in os.walk(root, onerror=refuse, followlinks=True):
        identity = _identity(Path(folder))
        if identity in seen:
            subfolders.clear()
            continue
        seen.add(identity)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _identity(folder: Path) -> tuple[int, int]:
    """The same for every path that leads to a folder."""
    status = folder.stat()
    return status.st_dev, status.st_ino
