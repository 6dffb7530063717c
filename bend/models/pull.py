"""Downloads a known network, checks it and puts it where `--base` and `--network` find it by its name.

If a checksum was published, it must match. If not, the first download is trusted and its SHA-256 remembered; any later
download must be the same file. A file that is not a StyleGAN2 network is not kept.
"""

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from bend.errors import ModelError
from bend.models.download import Download, fetch
from stylegan.checkpoint import outline_network
from stylegan.checkpoint.cache import (
    CacheRecord,
    cached_network,
    networks_folder,
    read_record,
    record_path,
)
from stylegan.checkpoint.known import KNOWN, KnownNetwork
from stylegan.checkpoint.load import EMBEDDED
from stylegan.digest import file_sha256
from stylegan.errors import CheckpointError, LockHeldError
from stylegan.lock import FileLock

__all__ = ["Pulled", "destination", "find_known", "pull"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """A network that is there now."""

    name: str
    """What `--base` and `--network` take."""
    path: Path
    """Its file."""
    num_bytes: int
    """Size of the file."""
    sha256: str
    """Checksum of the file, hexadecimal."""
    trust: str
    """What the checksum was compared with: `published`, `earlier download`, or `none: first download`."""
    licence: str
    """Licence of the weights."""
    was_there: bool
    """Whether it had been downloaded before."""


def find_known(name: str) -> KnownNetwork:
    """The entry of a known network.

    Raises:
        ModelError: unknown, or nothing that is downloaded.
    """
    if name in EMBEDDED:
        raise ModelError(f"{name}: comes with bend, there is nothing to download; use it by its name")
    if name not in KNOWN:
        raise ModelError(f"{name}: no network is known by this name; choose from {', '.join(KNOWN)}")
    return KNOWN[name]


def destination(name: str) -> Path:
    """Where the file of a known network goes.

    Raises:
        ModelError: unknown.
    """
    return networks_folder() / f"{name}{PurePosixPath(urlsplit(find_known(name).url).path).suffix}"


def pull(
    name: str,
    *,
    force: bool = False,
    max_bytes: int = 2 << 30,
    on_bytes: Callable[[int, int | None], None] = lambda done, total: None,
    pause: Callable[[float], None] = time.sleep,
) -> Pulled:
    """Download a known network unless it is there.

    Args:
        name: a key of `KNOWN`.
        force: download it again.
        max_bytes: more than this is refused.
        on_bytes: called with the bytes so far, and bytes in all if that is known.
        pause: waits the given seconds before another attempt.

    Raises:
        ModelError: unknown, refused, broken off, being pulled by another process, or another file than before.
        CheckpointError: the file there is no longer the one that was downloaded.
        OSError: the disk cannot be read or written.
    """
    known = find_known(name)
    final = destination(name)
    final.parent.mkdir(parents=True, exist_ok=True)
    with _alone(name, final):
        earlier = read_record(name)
        if not force and (there := cached_network(name)) and earlier is not None:
            _compare(name, known, earlier, there, file_sha256(there))
            return _report(name, known, earlier, there, "earlier download", was_there=True)
        part = fetch(Download(url=known.url, path=final, max_bytes=max_bytes, on_bytes=on_bytes, pause=pause))
        sha256 = file_sha256(part)
        try:
            _compare(name, known, earlier, part, sha256)
            _check_is_network(known.url, part)
        except ModelError:
            part.unlink()
            raise
        sys.audit("failpoint", "fetched", str(final))
        part.replace(final)
        sys.audit("failpoint", "pulled", str(final))
        stat = final.stat()
        record = CacheRecord(
            file=final.name, url=known.url, sha256=sha256, num_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns
        )
        record.save(name)
        trust = "published" if known.sha256 else ("earlier download" if earlier else "none: first download")
        return _report(name, known, record, final, trust, was_there=False)


@contextlib.contextmanager
def _alone(name: str, final: Path) -> Iterator[None]:
    try:
        lock = FileLock(final.with_name(f".{name}.lock"))
    except LockHeldError as error:
        raise ModelError(f"{name}: is being pulled by process {error.holder}; wait for it to end") from None
    try:
        yield
    finally:
        lock.release()


def _compare(name: str, known: KnownNetwork, earlier: CacheRecord | None, path: Path, sha256: str) -> None:
    if known.sha256 and sha256 != known.sha256:
        raise ModelError(
            f"{name}: {path.name} has SHA-256 {sha256}, published is {known.sha256}; not kept, try again"
        )
    if earlier is not None and sha256 != earlier.sha256:
        raise ModelError(
            f"{name}: {path.name} has SHA-256 {sha256}, but {earlier.sha256} when it was first downloaded; not kept. "
            f"To trust the new one, remove {record_path(name)}"
        )


def _check_is_network(url: str, part: Path) -> None:
    try:
        outline_network(part)
    except CheckpointError as error:
        reason = str(error).removeprefix(f"{part.name}: ")
        raise ModelError(f"{url}: what came from there is not a network: {reason}") from None


def _report(
    name: str, known: KnownNetwork, record: CacheRecord, path: Path, trust: str, *, was_there: bool
) -> Pulled:
    return Pulled(
        name=name,
        path=path,
        num_bytes=record.num_bytes,
        sha256=record.sha256,
        trust=trust,
        licence=known.licence,
        was_there=was_there,
    )
