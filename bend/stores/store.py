"""The operations on a store, by way of fsspec: list, read, write and remove objects.

An object appears whole or not at all: it is uploaded in one request, or in parts that become an object only when the
upload is completed. So nothing is renamed, and no reader meets a half-written object. A write that must not replace
anything is a conditional request where the store supports them (S3, Google), so that of two concurrent writers only one
succeeds.
"""

import dataclasses
import functools
import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bend.errors import StoreError
from bend.stores.address import Address
from bend.stores.faults import told

__all__ = [
    "ConflictError",
    "Facts",
    "find",
    "list_folders",
    "look",
    "need_bucket",
    "put",
    "put_bytes",
    "read",
    "remove",
]

_PART_BYTES = 16 << 20
_MOST_PARTS = 9_000  # S3 takes 10,000
_WITH_BUCKETS = ("s3", "s3a", "gs", "gcs")
_S3 = ("s3", "s3a")


class ConflictError(StoreError):
    """An object has changed since it was read, or is there where none may be."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a store states about an object or folder."""

    is_folder: bool
    num_bytes: int
    validator: str
    """Changes with the content: the ETag, or what the store has instead."""
    etag: str
    """Without quotes; empty if the store has none."""


def look(address: Address) -> Facts | None:
    """The facts of what is at an address; None if nothing is.

    Raises:
        StoreError: the store does not answer, or refuses.
    """
    with told(address, "read"):
        try:
            return _facts(_system(address.scheme).info(address.path))
        except FileNotFoundError:
            return None


def need_bucket(address: Address) -> None:
    """Refuse, before any work, an address in a bucket that does not exist.

    Raises:
        StoreError: there is none, or no connection or credentials.
    """
    if address.scheme in _WITH_BUCKETS and look(address.bucket) is None:
        raise StoreError(f"{address.bucket}: no such bucket; make it first, or check the address")


def find(address: Address) -> dict[str, Facts]:
    """All objects below a folder, by their names relative to it, without placeholders for folders.

    Raises:
        StoreError: the store does not answer, or refuses.
    """
    with told(address, "list"):
        found = _system(address.scheme).find(address.path, detail=True)
    start = len(address.path.lstrip("/")) + 1
    named = {path.lstrip("/")[start:]: _facts(info) for path, info in found.items()}
    return {
        name: facts
        for name, facts in named.items()
        if name and not name.endswith("/") and not facts.is_folder
    }


def list_folders(address: Address) -> list[str]:
    """The names of the folders in a folder; none if it does not exist.

    Raises:
        StoreError: the store does not answer, or refuses.
    """
    with told(address, "list"):
        try:
            found = _system(address.scheme).ls(address.path, detail=True)
        except FileNotFoundError:
            return []
    return [info["name"].rstrip("/").rpartition("/")[2] for info in found if info["type"] == "directory"]


def read(address: Address, ranges: Sequence[tuple[int, int]] | None = None) -> list[bytes]:
    """The bytes of an object: of each range (start, end), or all in one block.

    Raises:
        StoreError: it is not there, or the store does not answer.
    """
    system = _system(address.scheme)
    with told(address, "read"):
        if ranges is None:
            return [system.cat_file(address.path)]
        starts, ends = [start for start, _ in ranges], [end for _, end in ranges]
        found = system.cat_ranges([address.path] * len(ranges), starts, ends, on_error="raise")
    if [len(block) for block in found] != [end - start for start, end in ranges]:
        raise StoreError(f"{address}: became shorter while it was being read; run the same command again")
    return list(found)


def put(address: Address, path: Path, *, replace: bool) -> None:
    """Upload a file, whole or not at all, and verify what has arrived.

    Args:
        address: its name on the store.
        path: the file, which must not change meanwhile.
        replace: whether an object of that name is replaced.

    Raises:
        StoreError: an object is there and must not be replaced, or the upload failed; the object is unchanged.
    """
    size = path.stat().st_size
    options: dict[str, Any] = {} if replace else {"mode": "create"}
    if address.scheme in _S3:
        options["chunksize"] = _part_bytes(size)
    sys.audit("failpoint", "sending", str(address))
    with told(address, "write"):
        try:
            _make_parent(address)
            _system(address.scheme).put_file(str(path), address.path, **options)
        except OSError as error:
            if replace or not _is_refusal(error):
                raise
            if not _arrived(address, path):  # otherwise this upload succeeded, and only its answer was lost
                raise FileExistsError from None
    sys.audit("failpoint", "sent", str(address))
    if not _arrived(address, path):
        raise StoreError(f"{address}: what arrived there is not what was sent; run the same command again")


def put_bytes(address: Address, data: bytes, *, over: Facts | None = None, replace: bool = True) -> None:
    """Upload a small object, whole or not at all.

    Args:
        address: its name on the store.
        data: its content.
        over: the facts of the object that must still be there, if the store can compare; None for any.
        replace: whether an object of that name is replaced.

    Raises:
        ConflictError: another object is there.
        StoreError: the upload failed; the object is unchanged.
    """
    options: dict[str, Any] = {} if replace else {"mode": "create"}
    if over is not None and address.scheme in _S3 and over.etag:
        options["IfMatch"] = over.etag
    sys.audit("failpoint", "sending", str(address))
    with told(address, "write"):
        try:
            _make_parent(address)
            _system(address.scheme).pipe_file(address.path, data, **options)
        except OSError as error:
            if not (options and _is_refusal(error)):
                raise
            if read(address) != [data]:
                raise ConflictError(
                    f"{address}: something else is there by now; look at it, then try again"
                ) from None
    sys.audit("failpoint", "sent", str(address))


def remove(addresses: Sequence[Address]) -> None:
    """Remove objects; those that are not there are ignored.

    Raises:
        StoreError: the store does not answer, or refuses.
    """
    for address in addresses:
        with told(address, "delete"):
            try:
                _system(address.scheme).rm_file(address.path)
            except FileNotFoundError:
                continue


@functools.lru_cache(maxsize=8)
def _system(scheme: str) -> Any:
    """The file system of a scheme; its library finds credentials and endpoint in its own configuration."""
    import fsspec

    options = {"auto_mkdir": True} if scheme in ("file", "local") else {}
    return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True, **options)


def _facts(info: dict[str, Any]) -> Facts:
    etag = str(info.get("ETag") or info.get("etag") or "").strip('"')
    others = (info.get(name) for name in ("generation", "mtime", "LastModified", "created", "ino"))
    validator = etag or " ".join(str(value) for value in others if value is not None)
    return Facts(
        is_folder=info.get("type") == "directory",
        num_bytes=int(info.get("size") or 0),
        validator=validator,
        etag=etag,
    )


def _is_refusal(error: OSError) -> bool:
    """Whether the store refused because the condition of the request did not hold."""
    words = f"{error} {error.__cause__}"
    return (
        isinstance(error, FileExistsError)
        or re.search(r"Precondition|conditionNotMet|\b412\b", words) is not None
    )


def _make_parent(address: Address) -> None:
    if address.scheme not in _WITH_BUCKETS:  # stores with buckets have no folders; others need them
        _system(address.scheme).makedirs(address.parent.path, exist_ok=True)


def _arrived(address: Address, path: Path) -> bool:
    """Whether an object equals the file: by size, then by the ETag if that is a checksum, else by reading it back."""
    facts = look(address)
    if facts is None or facts.num_bytes != path.stat().st_size:
        return False
    if facts.etag and facts.etag == _etag(path, is_whole="-" not in facts.etag):
        return True
    with path.open("rb") as file:
        wanted = hashlib.file_digest(file, "sha256").digest()
    found = hashlib.sha256()
    for block in _blocks(address, facts.num_bytes):
        found.update(block)
    return found.digest() == wanted


def _etag(path: Path, *, is_whole: bool) -> str:
    """S3's ETag of an unencrypted file: its MD5, or the MD5 of its parts' MD5s and the number of parts."""
    part_bytes = _part_bytes(path.stat().st_size)
    whole, parts = hashlib.md5(usedforsecurity=False), []
    with path.open("rb") as file:
        while block := file.read(part_bytes):
            whole.update(block)
            parts.append(hashlib.md5(block, usedforsecurity=False).digest())
    if is_whole:
        return whole.hexdigest()
    return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"


def _blocks(address: Address, size: int) -> Iterator[bytes]:
    for start in range(0, size, _PART_BYTES):
        yield from read(address, [(start, min(start + _PART_BYTES, size))])


def _part_bytes(size: int) -> int:
    return max(_PART_BYTES, -(-size // _MOST_PARTS))
