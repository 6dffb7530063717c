"""Outputs on a store: written to a local folder first, then sent.

Nothing appears on the store before everything is complete here, and of several files the one that was asked for is sent
last. If sending fails, the files are kept here and the error says where, so that a lost connection does not cost hours
of rendering.
"""

import dataclasses
import os
import shutil
from pathlib import Path

from bend.errors import StoreError
from bend.stores.address import Address
from bend.stores.fetching import slot_of
from bend.stores.names import stands_for
from bend.stores.store import look, need_bucket, put
from stylegan.atomic import sweep_folder, temporary_name

__all__ = ["Outgoing", "begin_output", "drop", "send"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An output that is to be sent."""

    address: Address
    """Where it goes."""
    path: Path
    """Where the command writes it: a file or folder, inside a temporary folder of its own."""
    force: bool
    """Whether it replaces what is there."""


def begin_output(address: Address, *, force: bool) -> Outgoing:
    """Prepare a local place for an output, after checking that it may be written to the store.

    Raises:
        StoreError: something is there already, or there is no bucket, no connection or no right to look.
    """
    need_bucket(address)
    if not force and look(address) is not None:
        raise StoreError(f"{address}: exists already; pass --force to overwrite it, or another name")
    slot = slot_of("outputs", address)
    slot.mkdir(parents=True, exist_ok=True)
    sweep_folder(slot)  # of processes that were killed
    folder = slot / temporary_name(str(os.getpid()))
    folder.mkdir(exist_ok=True)
    stands_for(folder, address.parent)  # for files that the command puts beside it
    return Outgoing(address=address, path=folder / address.name, force=force)


def send(outgoing: Outgoing) -> int:
    """Send what was written; gives the number of objects.

    Raises:
        StoreError: it did not arrive; the message says where it is kept.
    """
    folder = outgoing.path.parent
    files = sorted(
        (path for path in folder.rglob("*") if path.is_file()), key=lambda path: (path == outgoing.path, path)
    )
    files = [
        path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    try:
        for path in files:
            name = path.relative_to(folder).as_posix()
            put(outgoing.address.parent.child(name), path, replace=outgoing.force)
    except StoreError as error:
        kept = folder.with_name(f"kept-{os.getpid()}")
        shutil.rmtree(kept, ignore_errors=True)
        folder.rename(kept)
        raise StoreError(f"{error}; what was made is kept in {kept}") from None
    drop(outgoing)
    return len(files)


def drop(outgoing: Outgoing) -> None:
    """Remove the local files of an output."""
    shutil.rmtree(outgoing.path.parent, ignore_errors=True)
