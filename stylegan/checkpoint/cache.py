"""Where downloaded networks lie, and whether they are still what was downloaded.

Beside each file is a record of its address and SHA-256, made when it was first downloaded. A file that has changed
since (by size or time of change) is hashed again before it is used, and refused if its content differs. `bend models
pull` fills the folder.
"""

import contextlib
import dataclasses
import json
from pathlib import Path

from stylegan.atomic import write_atomic
from stylegan.cache import cache_folder
from stylegan.digest import file_sha256
from stylegan.errors import CheckpointError

__all__ = ["CacheRecord", "cached_network", "networks_folder", "read_record", "record_path"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CacheRecord:
    """What is remembered about a downloaded network."""

    file: str
    """Name of its file in the cache folder."""
    url: str
    """Where it came from."""
    sha256: str
    """Checksum of the file, hexadecimal."""
    num_bytes: int
    """Size of the file."""
    mtime_ns: int
    """The file's time of change when it was hashed."""

    def __post_init__(self) -> None:
        texts_are_text = all(isinstance(text, str) for text in (self.file, self.url, self.sha256))
        if not texts_are_text or type(self.num_bytes) is not int or type(self.mtime_ns) is not int:
            raise ValueError("a field has the wrong type")
        if Path(self.file).name != self.file or not self.file:
            raise ValueError("file must be a plain name")

    def save(self, name: str) -> None:
        """Keep it as the record of the network `name`."""
        write_atomic(record_path(name), json.dumps(dataclasses.asdict(self), indent=2) + "\n")


def networks_folder() -> Path:
    """Where downloaded networks lie, in the user's cache."""
    return cache_folder() / "networks"


def record_path(name: str) -> Path:
    """Where the record of the network `name` lies."""
    return networks_folder() / f"{name}.json"


def read_record(name: str) -> CacheRecord | None:
    """What is remembered about a downloaded network; None if it was never downloaded, or its record is damaged."""
    try:
        return CacheRecord(**json.loads(record_path(name).read_text()))
    except (OSError, TypeError, ValueError):
        return None


def cached_network(name: str) -> Path | None:
    """The downloaded file of the network `name`; None if there is none.

    Raises:
        CheckpointError: the file is no longer what was downloaded.
        OSError: it cannot be read.
    """
    record = read_record(name)
    path = None if record is None else networks_folder() / record.file
    if record is None or path is None or not path.is_file():
        return None
    stat = path.stat()
    if (stat.st_size, stat.st_mtime_ns) == (record.num_bytes, record.mtime_ns):
        return path
    if stat.st_size != record.num_bytes or file_sha256(path) != record.sha256:
        raise CheckpointError(
            f"{path}: no longer the file that was downloaded (SHA-256 {record.sha256[:12]}…); "
            f"run `bend models pull {name} --force`"
        )
    with contextlib.suppress(OSError):  # a cache that others keep is hashed at every use
        dataclasses.replace(record, mtime_ns=stat.st_mtime_ns).save(name)
    return path
