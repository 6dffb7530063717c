"""A training whose data, base or run folder lies on an object store.

Data and base are fetched; the run is trained in a working folder of the cache and mirrored (`bend.stores.runs`). A
connection lost in the middle of a training stops nothing: the next saved state is mirrored with all that is missing.
Only the first and the last mirroring must succeed.
"""

import contextlib
import dataclasses
import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bend.errors import SettingsError, StoreError
from bend.stores.address import Address, is_address, parse_address
from bend.stores.fetching import fetch_data
from bend.stores.networks import fetch_network
from bend.stores.runs import RunMirror, TakenOverError, find_remote_run, prepare_runs, take_up
from stylegan.errors import TeamError
from stylegan.training.session import Session

__all__ = ["Place", "fetched", "fetched_inputs", "mirrored"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the run of a training is mirrored to."""

    parent: Address
    """The folder that its run folder lies in."""
    data: str | None
    """Address of the data set, None if it is a local file."""


def fetched(
    options: dict[str, Any], out: str | Path, resume: str | None
) -> tuple[dict[str, Any], Path, str | None, Place | None]:
    """What to train with, fetched to this machine.

    Args:
        options: fields of `TrainConfig` that were given; `data` and `base` may be addresses.
        out: folder for run folders, or its address.
        resume: a run, its address, or `latest`.

    Returns:
        The same three with local paths, and where the run is mirrored to: None for a local run.

    Raises:
        StoreError: a store refuses, or has no such thing.
        SettingsError: a local run is to be resumed into a store.
    """
    data = options["data"] if is_address(options.get("data")) else None
    parent = parse_address(str(out)) if is_address(out) else None
    run = _remote_run(resume, parent)
    if run is not None:
        folder, recorded = take_up(run)
        parent, resume, local_out = run.parent, str(folder), folder.parent
        if "data" not in options and is_address(recorded):
            data = recorded
    else:
        local_out = Path(out) if parent is None else prepare_runs(parent)
    if data is not None:
        options = {**options, "data": data}
    place = None if parent is None else Place(parent=parent, data=data)
    return fetched_inputs(options), local_out, resume, place


def _remote_run(resume: str | None, parent: Address | None) -> Address | None:
    """The run on a store that is to be resumed; None for a local run, and for a new one."""
    if resume is None:
        return None
    if is_address(resume):
        return parse_address(resume)
    if parent is None:
        return None
    if Path(resume).is_dir():
        raise SettingsError(f"--resume {resume}: a local run goes on where it is; leave out -o {parent}")
    return find_remote_run(resume, parent)


def fetched_inputs(options: dict[str, Any]) -> dict[str, Any]:
    """The options with local paths of `data` and `base`, fetched into the cache where they are addresses.

    Raises:
        StoreError: a store refuses, or has no such thing.
    """
    options = dict(options)
    if is_address(options.get("data")):
        options["data"] = str(fetch_data(parse_address(options["data"])))
    if is_address(options.get("base")):
        options["base"] = fetch_network(options["base"], whole_run=False)
    return options


@contextlib.contextmanager
def mirrored(session: Session, place: Place | None) -> Iterator[Callable[[], str | None] | None]:
    """Mirror the run that is trained in this block; yields what to call when a state was saved.

    Raises:
        StoreError: the store refuses at the beginning or the end, or another process has gone on with the run.
    """
    if place is None or not session.plan.team.is_first:
        yield None
        return
    address = place.parent.child(session.run.name)
    mirror = _begun(session, address, place.data)
    try:
        yield functools.partial(_push_or_warn, mirror)
    except (TakenOverError, TeamError):  # if a process is lost, the launcher ends this one too
        raise
    except Exception:
        with contextlib.suppress(StoreError):  # the error that ended the training is the one to report
            mirror.push()
        raise
    try:
        mirror.finish(keep=session.plan.team.launch is not None)
    except TakenOverError:
        raise
    except StoreError as error:
        raise StoreError(
            f"{error}; the run is whole on this machine, `bend finetune --resume {address}` sends the rest"
        ) from None


def _begun(session: Session, address: Address, data: str | None) -> RunMirror:
    """The mirror of a run, with what there is of the run; if that fails, nothing is left of a new run."""
    is_new = session.plan.state.step == 0
    try:
        mirror = RunMirror(session.run, address, data)
        mirror.push()
    except StoreError:
        session.close()
        if is_new:
            shutil.rmtree(session.run, ignore_errors=True)
        raise
    return mirror


def _push_or_warn(mirror: RunMirror) -> str | None:
    """Mirror a saved state; gives a warning if the store fails, and raises if another process has the run."""
    try:
        mirror.push()
    except TakenOverError:
        raise
    except StoreError as error:
        return f"not mirrored: {error}; continuing, and trying again when the next state is saved"
    return None
