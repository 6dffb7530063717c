"""Run folders on a store: trained here in a working folder, and mirrored to the store file by file.

Files are sent in an order that keeps the run readable at every moment: first those that never change (snapshots,
sheets), then those that grow or are rewritten (statistics, score, timeline), then the state, and last the marker that
names it (`bend.stores.marker`). A killed training can be resumed from there on any machine. If the run was not
continued elsewhere, the working folder of this machine has everything that the store has, and is used as it is.
"""

import contextlib
import dataclasses
import hashlib
import os
import secrets
import shutil
from pathlib import Path

from bend.errors import StoreError
from bend.stores.address import Address
from bend.stores.fetching import alone_in, check_room, download, safe_name, slot_of
from bend.stores.marker import (
    MARKER,
    STATE_OBJECT,
    Entry,
    Marker,
    holds_state,
    read_marker,
    state_object,
    write_marker,
)
from bend.stores.names import stands_for
from bend.stores.store import ConflictError, find, list_folders, look, need_bucket, put, put_bytes, remove
from stylegan.atomic import sweep_folder, temporary_name, write_atomic
from stylegan.digest import file_sha256
from stylegan.run_names import RUN, STATES, is_lasting

__all__ = ["RunMirror", "TakenOverError", "find_remote_run", "prepare_runs", "take_up"]

_OWN = ".mirrored"  # holds the owner and generation of the marker that the working folder corresponds to
_TAKEN = "{}: another training has taken this name in the meantime; run the same command again"
_GONE_ON = "{}: another process has taken over this run; this one stops, and the other's files are valid"


class TakenOverError(StoreError):
    """Another process has continued the run meanwhile."""


class RunMirror:
    """Mirrors a run in training to a store.

    Args:
        run: the working folder.
        address: where it is mirrored to.
        data: address of the data set; None if it is a local file.

    Raises:
        StoreError: the name is taken, the run is not this folder's, or the store refuses.
    """

    def __init__(self, run: Path, address: Address, data: str | None) -> None:
        self._run = run
        self._address = address
        self._hashes: dict[tuple[int, int, int], str] = {}
        found = read_marker(address)
        owner = secrets.token_hex(8)
        if found is None:
            self._marker = Marker(owner=owner, generation=0, data=data, files={})
        elif _corresponds(run, found[0]):
            before = found[0]
            self._marker = dataclasses.replace(
                before, owner=owner, generation=before.generation + 1, data=data or before.data
            )
        else:
            raise StoreError(_TAKEN.format(address))
        try:
            write_marker(address, self._marker, over=None if found is None else found[1])
        except ConflictError:
            raise StoreError(_TAKEN.format(address)) from None
        self._note()
        if found is not None:
            self._sweep()

    def push(self) -> int:
        """Bring the store up to date; gives the number of files that were sent.

        Raises:
            TakenOverError: another process has continued the run.
            StoreError: a file did not arrive; the store still names what was valid before.
        """
        found = read_marker(self._address)
        if found is None or found[0].owner != self._marker.owner:
            raise TakenOverError(_GONE_ON.format(self._address))
        files, num_sent = {}, 0
        for path in _in_order(self._run):
            is_state, stays = path.name in STATES, is_lasting(path.name)
            data = None if is_state or stays else path.read_bytes()  # of a file that grows, what is there
            entry = self._entry(path, data)
            files[path.name] = entry
            if self._has(path.name, entry):
                continue
            name = state_object(entry) if is_state else path.name
            if data is None:
                put(self._address.child(name), path, replace=True)
            else:
                put_bytes(self._address.child(name), data)
            num_sent += 1
        before = _objects(self._marker)
        if files != self._marker.files:
            marker = dataclasses.replace(self._marker, generation=self._marker.generation + 1, files=files)
            try:
                write_marker(self._address, marker, over=found[1])
            except ConflictError:
                raise TakenOverError(_GONE_ON.format(self._address)) from None
            self._marker = marker
            self._note()
            remove([self._address.child(name) for name in sorted(before - _objects(marker))])
        return num_sent

    def finish(self, *, keep: bool) -> None:
        """Bring the store up to date for the last time, and remove the working folder unless `keep`."""
        self.push()
        if not keep:
            shutil.rmtree(self._run, ignore_errors=True)

    def _entry(self, path: Path, data: bytes | None) -> Entry:
        stat = path.stat()
        if data is not None:
            digest = hashlib.sha256(data).hexdigest()
            return Entry(num_bytes=len(data), sha256=digest, mtime_ns=stat.st_mtime_ns)
        # A state that is renamed to the previous one keeps all three, and is not hashed again.
        key = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if key not in self._hashes:
            self._hashes[key] = file_sha256(path)
        return Entry(num_bytes=stat.st_size, sha256=self._hashes[key], mtime_ns=stat.st_mtime_ns)

    def _has(self, name: str, entry: Entry) -> bool:
        """Whether the marker on the store names the same bytes."""
        if name in STATES:
            return state_object(entry) in _objects(self._marker)
        there = self._marker.files.get(name)
        return there is not None and there.sha256 == entry.sha256

    def _sweep(self) -> None:
        """Remove states of a session that was killed before its marker named them."""
        named = _objects(self._marker)
        states = [name for name in find(self._address) if STATE_OBJECT.fullmatch(name)]
        remove([self._address.child(name) for name in states if name not in named])

    def _note(self) -> None:
        write_atomic(self._run / _OWN, _stamp(self._marker))


def prepare_runs(address: Address) -> Path:
    """The working folder for new runs of a folder on a store; it makes their numbers continue those on the store.

    Raises:
        StoreError: the store does not answer, or refuses.
    """
    need_bucket(address)
    parent = _working(address)
    parent.mkdir(parents=True, exist_ok=True)
    sweep_folder(parent)
    numbers = [int(match[1]) for name in list_folders(address) if (match := RUN.fullmatch(name))]
    for path in parent.glob("*-taken"):
        with contextlib.suppress(OSError):  # another training may be doing the same
            path.rmdir()
    if numbers:
        (parent / f"{max(numbers):05d}-taken").mkdir(exist_ok=True)
    return stands_for(parent, address)


def find_remote_run(text: str, parent: Address) -> Address:
    """The run that `--resume` names: one in `parent` by its name, or the `latest` one that can be resumed.

    Raises:
        StoreError: there is none that can be resumed.
    """
    if text != "latest":
        return parent.child(text)
    numbered = [(int(match[1]), name) for name in list_folders(parent) if (match := RUN.fullmatch(name))]
    for _, name in sorted(numbered, reverse=True):
        found = read_marker(parent.child(name))
        if found is not None and found[0].has_state:
            return parent.child(name)
    raise StoreError(f"{parent}: no run there to resume; pass --resume RUN, or -o with their folder")


def take_up(address: Address) -> tuple[Path, str | None]:
    """Bring a run to this machine to resume it.

    Returns:
        The working folder, and the address of its data set; None if that is a local file.

    Raises:
        StoreError: there is no run, no valid state of it, or the store refuses.
        OSError: the disk cannot be written.
    """
    parent = _working(address.parent)
    run = parent / safe_name(address, address.name)
    with alone_in(parent):
        found = read_marker(address)
        if found is None:
            raise StoreError(
                f"{address}: no {MARKER} there; pass a run folder that `bend finetune` wrote to a store"
            )
        marker = found[0]
        if not _corresponds(run, marker):
            _bring(address, marker, run)
    return stands_for(run, address), marker.data


def _bring(address: Address, marker: Marker, run: Path) -> None:
    """Fetch a run into its working folder, whole or not at all."""
    if not marker.has_state:
        raise StoreError(f"{address}: was killed before it had a state; start it anew")
    check_room(run, sum(entry.num_bytes for entry in marker.files.values()))
    sweep_folder(run.parent)
    coming = run.with_name(temporary_name(run.name))
    shutil.rmtree(coming, ignore_errors=True)
    coming.mkdir(parents=True)
    faults = [
        fault for name, entry in marker.files.items() if (fault := _bring_file(address, name, entry, coming))
    ]
    if not any((coming / name).exists() for name in STATES):
        raise StoreError(
            f"{address}: no valid state there ({'; '.join(faults)}); start from a snapshot with --base"
        )
    write_atomic(coming / _OWN, _stamp(marker))
    shutil.rmtree(run, ignore_errors=True)
    coming.rename(run)


def _bring_file(address: Address, name: str, entry: Entry, folder: Path) -> str | None:
    """Fetch a file of a run; gives what is wrong with a state, since the other one may be valid."""
    is_state, path = name in STATES, folder / safe_name(address, name)
    source = address.child(state_object(entry) if is_state else name)
    facts = look(source)
    fault = None if facts is not None else f"{source.name} is missing"
    if facts is not None:
        download(source, facts, path)
        # A growing file may be newer than the marker; a resumed training only uses its beginning.
        if (is_state or is_lasting(name)) and file_sha256(path) != entry.sha256:
            path.unlink()
            fault = f"{source.name} is damaged"
    if fault is None:
        os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns))
    elif not is_state:
        raise StoreError(f"{address}: {fault}; restore it, or start a new run")
    return fault


def _in_order(run: Path) -> list[Path]:
    """The files to mirror, with those that others refer to first."""
    files = [path for path in run.iterdir() if path.is_file() and not path.name.startswith(".")]
    return sorted(files, key=lambda path: (path.name in STATES, not is_lasting(path.name), path.name))


def _objects(marker: Marker) -> set[str]:
    return {state_object(entry) if name in STATES else name for name, entry in marker.files.items()}


def _corresponds(run: Path, marker: Marker) -> bool:
    """Whether a working folder wrote this marker, and so has everything that it names."""
    try:
        is_own = (run / _OWN).read_text() == _stamp(marker)
    except OSError:
        return False
    return is_own and holds_state(run)


def _stamp(marker: Marker) -> str:
    return f"{marker.owner} {marker.generation}\n"


def _working(parent: Address) -> Path:
    return slot_of("runs", parent)
