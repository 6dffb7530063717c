"""Networks on a store: a file, a run folder, or one moment of a run.

Of a run folder only the snapshots, options and scores are fetched, never the states that a training resumes from.
Snapshots never change once they are written, so that a run can be rendered while it goes on elsewhere.
"""

import math
from collections.abc import Iterable
from pathlib import Path

from bend.errors import StoreError
from bend.run_names import SCORE
from bend.stores.address import Address, parse_address
from bend.stores.fetching import download, fetch_file, fetch_folder, safe_name
from bend.stores.marker import MARKER, STATE_OBJECT
from bend.stores.names import stands_for
from bend.stores.store import Facts, find, look
from stylegan.run_names import LATEST, OPTIONS, SNAPSHOT, STATS

__all__ = ["fetch_network", "fetch_options", "outline_run"]

_SMALL = (OPTIONS, SCORE, STATS, MARKER)


def fetch_network(text: str, *, whole_run: bool) -> str:
    """Fetch a network; gives what `load_network` takes in place of the address.

    Args:
        text: the address of a network file or run folder, or `RUN@KIMG`.
        whole_run: whether to fetch all snapshots of a run folder, not only its last.

    Raises:
        StoreError: nothing there, or no snapshots.
    """
    address = parse_address(text)
    facts = look(address)
    if facts is not None:
        if not facts.is_folder:
            return str(fetch_file(address))
        return str(_fetch_run(address, None if whole_run else math.inf))
    run, at, kimg = text.rpartition("@")
    if not at or "://" not in run:
        raise StoreError(f"{address}: no such object, folder or bucket; check the address")
    try:
        moment = float(kimg)
    except ValueError:
        raise StoreError(f"{text}: {kimg!r} is not a number of kimg; write RUN@4 or RUN@0.25") from None
    return f"{_fetch_run(parse_address(run), moment)}@{kimg}"


def outline_run(address: Address, folder: Path, *, with_last: bool = False) -> Path:
    """A copy of a run folder with only its tables: small files are fetched, all others are empty.

    Args:
        address: the folder of a run or of a scrape.
        folder: where to put it.
        with_last: whether to fetch the last snapshot, too.
    """
    found = find(address)
    last = max((name for name in found if SNAPSHOT.fullmatch(name)), default=None) if with_last else None
    for name, facts in found.items():
        if name in (*_SMALL, last) or name.endswith(".jsonl"):
            download(address.child(name), facts, folder / safe_name(address, name))
        else:
            is_state = STATE_OBJECT.fullmatch(name)
            empty = folder / (LATEST if is_state else safe_name(address, name))
            empty.parent.mkdir(parents=True, exist_ok=True)
            empty.touch()
    return stands_for(folder, address)


def fetch_options(address: Address) -> Path:
    """A copy of a run folder with only its options and tables; for a snapshot, of the folder that it is in."""
    run = address.parent if SNAPSHOT.fullmatch(address.name) else address
    return _fetch_some(run, [])


def _fetch_run(address: Address, moment: float | None) -> Path:
    """A run folder with one snapshot, the last if `moment` is infinite, or with all if it is None."""
    moments = _moments(address, find(address))
    if moment is None:
        return fetch_folder(address, lambda name: name in moments.values() or name in _SMALL)
    chosen = max(moments) if moment == math.inf else moment
    if chosen not in moments:
        there = ", ".join(f"{kimg:g}" for kimg in sorted(moments))
        raise StoreError(f"{address}@{moment:g}: no snapshot at that moment; this run has {there}")
    run = _fetch_some(address, [moments[chosen]])
    from stylegan.checkpoint.delta import is_delta

    if is_delta(run / moments[chosen]):  # a delta is relative to the first snapshot
        _fetch_some(address, [moments[min(moments)]])
    return run


def _fetch_some(address: Address, names: Iterable[str]) -> Path:
    wanted = {*names, *_SMALL}
    return fetch_folder(address, lambda name: name in wanted)


def _moments(address: Address, found: dict[str, Facts]) -> dict[float, str]:
    matches = (SNAPSHOT.fullmatch(name) for name in found)
    moments = {float(match[1]): match[0] for match in matches if match is not None}
    if not moments:
        raise StoreError(f"{address}: no snapshots in this folder; pass a run folder of `bend finetune`")
    return moments
