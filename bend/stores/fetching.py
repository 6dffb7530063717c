"""Local copies of objects on a store, cached for as long as the object stays the same.

An object is fetched whole, since a training reads its pictures at random, thousands of times. It is fetched in ranges:
an interrupted fetch is resumed if the object's validator (ETag) is still the same. The validator is compared again at
the end, so that a copy never mixes two objects. A copy gets its name only when it is complete.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import IO, Any

from tqdm import tqdm

from bend.errors import StoreError
from bend.stores.address import Address, is_address
from bend.stores.names import stands_for
from bend.stores.store import Facts, find, look, read
from stylegan.archive.shard_names import is_list, is_pattern, is_shard_name, listed_names, name_matcher
from stylegan.atomic import write_atomic
from stylegan.cache import cache_folder
from stylegan.lock import alone

__all__ = [
    "alone_in",
    "check_room",
    "download",
    "fetch",
    "fetch_data",
    "fetch_file",
    "fetch_folder",
    "fetch_list",
    "fetch_pattern",
    "safe_name",
    "slot_of",
]

_BLOCK_BYTES = 8 << 20
_BLOCKS_AT_ONCE = 4
_FILES_AT_ONCE = 8
_SPARE_BYTES = 64 << 20
_MOST_GB = 1000.0
_INDEX = ".fetched.json"


def fetch(address: Address) -> Path:
    """A local copy of an object, or of a folder with all that is in it.

    Raises:
        StoreError: it is not there, cannot be read, is too large, or keeps changing.
        OSError: the cache cannot be written.
    """
    facts = _need(address)
    return fetch_folder(address) if facts.is_folder else fetch_file(address)


def fetch_data(address: Address) -> Path:
    """A local copy of a data set: a file, a folder of shards, a list with what it names, or a pattern of local copies.

    Raises:
        StoreError, OSError: as `fetch`.
        ArchiveError: a range that does not run upwards, or over too many, or a list that is none.
    """
    if is_pattern(address.name) and look(address) is None:
        return fetch_pattern(address)
    if _need(address).is_folder:
        return fetch_folder(address, lambda name: "/" not in name and is_shard_name(name))
    return fetch_list(address) if is_list(address.name) else fetch_file(address)


def fetch_pattern(address: Address) -> Path:
    """Local copies of what a pattern or range of names means; gives the same pattern of the copies.

    Raises:
        StoreError, ArchiveError, OSError: as `fetch_data`.
    """
    copy = fetch_folder(address.parent, name_matcher(address.name)) / address.name
    return stands_for(copy, address)


def fetch_list(address: Address) -> Path:
    """A local copy of a list of shards, with those that it names beside it.

    Raises:
        StoreError: as `fetch`, or the list names what does not lie beside or below it.
        ArchiveError: it is not a list of shards.
        OSError: as `fetch`.
    """
    parent = address.parent
    listed = listed_names(fetch_file(address), str(address))
    for name in listed:
        if is_address(name) or name.startswith("/") or ".." in name.split("/"):
            raise StoreError(
                f"{address}: names {name}; a list on a store names shards beside or below it, such as "
                f"{PurePosixPath(name).name}"
            )
    wanted = {address.name, *(str(PurePosixPath(name)) for name in listed)}
    return stands_for(fetch_folder(parent, wanted.__contains__) / address.name, address)


def fetch_file(address: Address) -> Path:
    """A local copy of an object; errors as `fetch`."""
    facts = _need(address)
    if facts.is_folder:
        raise StoreError(f"{address}: a folder, where a file is wanted; name the file")
    slot = slot_of("files", address)
    copy = slot / safe_name(address, address.name)
    with alone_in(slot):
        index = _read_index(slot)
        _bring(address, facts, copy, index=index, key=copy.name)
        _write_index(slot, index)
    return stands_for(copy, address)


def fetch_folder(address: Address, wanted: Callable[[str], bool] = lambda name: True) -> Path:
    """A local copy of a folder.

    Args:
        address: the folder.
        wanted: whether to fetch a file, by its name relative to the folder. Files of earlier calls stay, unless they
            are gone from the store.

    Raises:
        StoreError: as `fetch`.
    """
    slot = slot_of("folders", address)
    copy = slot / safe_name(address, address.name)
    found = find(address)
    chosen = {name: facts for name, facts in found.items() if wanted(name)}
    if not chosen:
        raise StoreError(f"{address}: nothing there that could be used; check the address")
    paths = {name: copy / safe_name(address, name) for name in chosen}
    with alone_in(slot):
        index = _read_index(slot)
        for gone in index.keys() - found.keys():
            (copy / gone).unlink(missing_ok=True)
            del index[gone]
        check_room(
            copy,
            sum(facts.num_bytes for name, facts in chosen.items() if not _is_current(index, name, facts)),
        )

        def bring(name: str) -> None:
            _bring(address.child(name), chosen[name], paths[name], index=index, key=name, is_quiet=True)

        pool = ThreadPoolExecutor(_FILES_AT_ONCE)
        try:
            list(
                tqdm(pool.map(bring, chosen), total=len(chosen), desc=address.name, unit="file", disable=None)
            )
        finally:
            pool.shutdown(cancel_futures=True)
            _write_index(slot, index)
    return stands_for(copy, address)


def slot_of(kind: str, address: Address) -> Path:
    """The cache folder for the copy of an address."""
    return cache_folder() / "stores" / kind / hashlib.sha256(str(address).encode()).hexdigest()[:16]


@contextlib.contextmanager
def alone_in(slot: Path) -> Iterator[None]:
    """Wait until no other process works in a slot, and keep others out for the length of the block."""
    slot.mkdir(parents=True, exist_ok=True)
    with alone(slot / ".lock"):
        yield


def check_room(folder: Path, num_bytes: int) -> None:
    """Refuse to fetch more bytes than are allowed, or than the disk has room for.

    Raises:
        StoreError: there are more.
    """
    most = _most_bytes()
    if num_bytes > most:
        raise StoreError(
            f"{num_bytes / 1e9:,.1f} GB are to be fetched, more than the {most / 1e9:,.1f} that are allowed; set "
            "BEND_MAX_FETCH_GB if that is right"
        )
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free
    if num_bytes and free < num_bytes + _SPARE_BYTES:
        raise StoreError(
            f"{folder}: {num_bytes + _SPARE_BYTES >> 20} MiB are needed and {free >> 20} MiB are free; make room, or "
            "set BEND_CACHE to a folder on another disk"
        )


def download(address: Address, facts: Facts, path: Path, *, is_quiet: bool = False) -> None:
    """Fetch an object to `path`, whole or not at all, resuming an earlier attempt.

    Args:
        address: the object.
        facts: its present facts.
        path: where to write it.
        is_quiet: show no progress bar, for one of many files.

    Raises:
        StoreError: it cannot be read, or has changed meanwhile.
        OSError: the disk cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The name of the part contains the validator, so that a part of another version is never resumed.
    token = hashlib.sha256(f"{facts.validator} {facts.num_bytes}".encode()).hexdigest()[:12]
    part = path.with_name(f".{path.name}.{token}.part")
    for stale in path.parent.glob(f".{_literal(path.name)}.*.part"):
        if stale != part:
            stale.unlink(missing_ok=True)
    check_room(path.parent, facts.num_bytes - (part.stat().st_size if part.exists() else 0))
    with part.open("ab") as file:
        _fill(file, address, facts.num_bytes, is_quiet)
        file.flush()
        os.fsync(file.fileno())
    if facts.num_bytes > _BLOCK_BYTES and (now := _need(address)).validator != facts.validator:
        part.unlink()
        raise StoreError(
            f"{address}: changed while it was being fetched ({now.num_bytes} bytes now); run it again"
        )
    part.replace(path)


def safe_name(address: Address, name: str) -> str:
    """A key as a relative path.

    Raises:
        StoreError: it is not a valid path, or leads out of its folder.
    """
    parts = name.split("/")
    if not name or any(
        part in ("", ".", "..") or "\0" in part or "\\" in part or len(part) > 240 for part in parts
    ):
        raise StoreError(
            f"{address}: holds an object called {name!r}, which cannot be a file name; rename it"
        )
    return name


def _fill(file: IO[bytes], address: Address, size: int, is_quiet: bool) -> None:
    done = file.tell()
    hidden = True if is_quiet else None  # None: where stderr is not a terminal
    with tqdm(
        total=size, initial=done, desc=address.name, unit="B", unit_scale=True, disable=hidden, leave=False
    ) as bar:
        while done < size:
            starts = range(done, min(done + _BLOCK_BYTES * _BLOCKS_AT_ONCE, size), _BLOCK_BYTES)
            for block in read(address, [(start, min(start + _BLOCK_BYTES, size)) for start in starts]):
                file.write(block)
                file.flush()
                done += len(block)
                bar.update(len(block))
                sys.audit("failpoint", "block", str(address))


def _bring(
    address: Address, facts: Facts, path: Path, *, index: dict[str, Any], key: str, is_quiet: bool = False
) -> None:
    """Fetch an object unless its copy is current, and note it in the index."""
    if _is_current(index, key, facts) and path.exists() and path.stat().st_size == facts.num_bytes:
        return
    download(address, facts, path, is_quiet=is_quiet)
    index[key] = [facts.validator, facts.num_bytes]


def _is_current(index: dict[str, Any], key: str, facts: Facts) -> bool:
    return bool(facts.validator) and index.get(key) == [facts.validator, facts.num_bytes]


def _need(address: Address) -> Facts:
    facts = look(address)
    if facts is None:
        raise StoreError(f"{address}: no such object, folder or bucket; check the address")
    return facts


def _read_index(slot: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((slot / _INDEX).read_text("utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def _write_index(slot: Path, index: dict[str, Any]) -> None:
    write_atomic(slot / _INDEX, json.dumps(index))


def _literal(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _most_bytes() -> float:
    try:
        return float(os.environ.get("BEND_MAX_FETCH_GB") or _MOST_GB) * 1e9
    except ValueError:
        raise StoreError("BEND_MAX_FETCH_GB: must be a number, such as 200") from None
