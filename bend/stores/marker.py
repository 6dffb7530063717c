"""The marker of a run on a store: an object that names the newest valid state and all other files of the run.

It is `newest.json` in the run's folder, written after everything that it names has arrived. States are named by the
hashes of their contents, so that none is ever overwritten, and whoever reads the marker finds the files that it names.
"""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

from bend.errors import StoreError
from bend.stores.address import Address, is_address
from bend.stores.store import Facts, look, put_bytes, read
from stylegan.run_names import STATES

__all__ = [
    "MARKER",
    "STATE_OBJECT",
    "Entry",
    "Marker",
    "data_address",
    "holds_state",
    "read_marker",
    "state_object",
    "write_marker",
]

MARKER = "newest.json"
STATE_OBJECT = re.compile(r"state-[0-9a-f]{16}\.pt")
"""The name of a state on the store; see `state_object`."""
_VERSION = 1


def holds_state(run: Path) -> bool:
    """Whether a run folder holds a state, so that its training can go on."""
    return any((run / name).is_file() for name in STATES)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of the run."""

    num_bytes: int
    sha256: str
    mtime_ns: int
    """When it was written; a resumed training compares these times."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """The content of a run's marker."""

    owner: str
    """Changes with every training session, so that a session notices if the run was continued elsewhere."""
    generation: int
    """Counts how often the marker was written."""
    data: str | None
    """Address of the data set; None if that is a local file."""
    files: dict[str, Entry]
    """The files by name; on the store, those of `STATES` are named by `state_object`."""

    @property
    def has_state(self) -> bool:
        """Whether the run can be resumed; it cannot before its first state is saved."""
        return any(name in self.files for name in STATES)


def state_object(entry: Entry) -> str:
    """The name of a state on the store."""
    return f"state-{entry.sha256[:16]}.pt"


def read_marker(run: Address) -> tuple[Marker, Facts] | None:
    """The marker of a run, and its facts; None if there is none.

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
    """The address of a run's data set by a local copy of its marker; None if there is none."""
    try:
        data = json.loads((run / MARKER).read_text("utf-8"))["data"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return data if is_address(data) else None


def write_marker(run: Address, marker: Marker, *, over: Facts | None) -> None:
    """Write the marker over the one with the facts `over`; for None, where there must be none.

    Raises:
        ConflictError: another one is there by now.
        StoreError: it cannot be written.
    """
    text = json.dumps({"version": _VERSION, **dataclasses.asdict(marker)}, indent=1) + "\n"
    put_bytes(run.child(MARKER), text.encode(), over=over, replace=over is not None)
