"""The object that says what a run on a store is: which state is the newest valid one, and what else belongs to it.

It is `newest.json` in the run's folder, written last, after everything that it names has arrived. States lie beside it
under the names of their contents: none is ever overwritten, and a reader of the marker finds what it was told of.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from bend.errors import StoreError
from bend.stores.address import Address, is_address
from bend.stores.store import Facts, look, put_bytes, read

__all__ = [
    "MARKER",
    "STATES",
    "Entry",
    "Marker",
    "data_address",
    "read_marker",
    "state_object",
    "write_marker",
]

MARKER = "newest.json"
STATES = ("state-latest.pt", "state-previous.pt")
"""Files of a run folder that lie on the store under the hashes of their contents; `stylegan.training.state_file` names
them so, and loads torch."""
_VERSION = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of the run."""

    num_bytes: int
    sha256: str
    mtime_ns: int
    """When it was written; a training that is taken up compares such times."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What a run on a store is."""

    owner: str
    """Changes with each training session, so that one which was taken over elsewhere notices."""
    generation: int
    """Counts the writings of the marker."""
    data: str | None
    """Address of the data set, where it has one."""
    files: dict[str, Entry]
    """By name; those of `STATES` lie under `state_object`."""

    @property
    def has_state(self) -> bool:
        """Whether there is something to go on from; not so in the first moments of a run."""
        return any(name in self.files for name in STATES)


def state_object(entry: Entry) -> str:
    """What a state is called on the store."""
    return f"state-{entry.sha256[:16]}.pt"


def read_marker(run: Address) -> tuple[Marker, Facts] | None:
    """The marker of a run, and what the store says of it; None where there is none.

    Raises:
        StoreError: it is damaged, or the store does not answer.
    """
    address = run.child(MARKER)
    facts = look(address)
    if facts is None:
        return None
    try:
        found: dict[str, Any] = json.loads(read(address)[0])
        if found.pop("version") != _VERSION:
            raise StoreError(f"{address}: was written by a later release; update bend")
        files = {str(name): Entry(**entry) for name, entry in found.pop("files").items()}
        return Marker(files=files, **found), facts
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(f"{address}: cannot be read ({error}); start a new run") from None


def data_address(run: Path) -> str | None:
    """The address of a run's data set as a local copy of its marker says; None where there is none."""
    try:
        data = json.loads((run / MARKER).read_text("utf-8"))["data"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return data if is_address(data) else None


def write_marker(run: Address, marker: Marker, *, over: Facts | None) -> None:
    """Write the marker in the place of the one that was read, or where there must be none.

    Raises:
        StoreError: there is another by now, or it cannot be written.
    """
    text = json.dumps({"version": _VERSION, **dataclasses.asdict(marker)}, indent=1) + "\n"
    put_bytes(run.child(MARKER), text.encode(), over=over, replace=over is not None)
