"""WebDataset shards for the tests, made by the standard library's tarfile."""

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tests.stylegan.archive.zips import encoded, noise


def write_tar(
    path: Path,
    members: Mapping[str, bytes],
    kind: int = tarfile.PAX_FORMAT,
    mode: str = "w",
    mtime: float = 1.5,
) -> Path:
    """A tar of the given members; a time with a fraction makes `PAX_FORMAT` write another header for each."""
    with tarfile.open(path, mode, format=kind) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), mtime if kind == tarfile.PAX_FORMAT else int(mtime)
            archive.addfile(info, io.BytesIO(data))
    return path


def samples(start: int, stop: int, *, classes: int = 0, resolution: int = 8) -> dict[str, bytes]:
    """Members of sound samples of noise, with labels if there are to be classes."""
    found = {}
    for i in range(start, stop):
        found[f"{i:06d}.png"] = encoded(noise(i, resolution, resolution, 3))
        if classes:
            found[f"{i:06d}.cls"] = str(i % classes).encode()
    return found
