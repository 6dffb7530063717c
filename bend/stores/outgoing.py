"""What a command writes to a store: made here under its ordinary rules, then sent whole.

Nothing appears on the store before all of it is complete here, and of several files the one that was asked for comes
last. Where the sending fails, what was made stays here and the error says where, so that hours of rendering are not
lost with a connection.
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
    """An output on its way."""

    address: Address
    """Where it goes."""
    path: Path
    """Where a command writes it: a file or a folder, in a folder of its own."""
    force: bool
    """Whether it replaces what is there."""


def begin_output(address: Address, *, force: bool) -> Outgoing:
    """Make a place for an output, once it is known that it may go where it is to.

    Raises:
        StoreError: something is there already, or there is no bucket, no connection or no right to look.
    """
    need_bucket(address)
    if not force and look(address) is not None:
        raise StoreError(f"{address}: is there already; pass --force to write over it, or another name")
    slot = slot_of("outputs", address)
    slot.mkdir(parents=True, exist_ok=True)
    sweep_folder(slot)  # of processes that were killed
    folder = slot / temporary_name(str(os.getpid()))
    folder.mkdir(exist_ok=True)
    stands_for(folder, address.parent)  # for what a command puts beside it
    return Outgoing(address=address, path=folder / address.name, force=force)


def send(outgoing: Outgoing) -> int:
    """Send what was written; the number of objects.

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
    """Remove what is here of an output."""
    shutil.rmtree(outgoing.path.parent, ignore_errors=True)
