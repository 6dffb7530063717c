"""A training whose data, base or run folder lies on an object store.

Data and base are fetched; the run is trained in a working folder of the cache and mirrored (`bend.stores.runs`). A
connection that is lost in the middle of a training stops nothing: the next saved state is mirrored with all that is
missing. Only the beginning and the end must succeed.
"""

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bend.errors import SettingsError, StoreError
from bend.stores.address import Address, is_address, parse_address
from bend.stores.fetching import fetch_file
from bend.stores.networks import fetch_network
from bend.stores.runs import (
    RunMirror,
    TakenOverError,
    find_remote_run,
    prepare_runs,
    recorded_data,
    take_up,
    working_folder,
)
from stylegan.training.session import Session

__all__ = ["Place", "fetched", "mirrored"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the run of a training is mirrored to."""

    parent: Address
    """The folder that its run folder lies in."""
    data: str | None
    """Address of the data set, None where it is a local file."""


def fetched(
    options: dict[str, Any], out: Path, resume: str | None, *, place: str | None, is_first: bool
) -> tuple[dict[str, Any], Path, str | None, Place | None]:
    """What to train with, all of it here.

    Args:
        options: fields of `TrainConfig` that were given; `data` and `base` may be addresses.
        out: folder for run folders.
        resume: a run, its address, or `latest`.
        place: the address of the folder for run folders, in the place of `out`.
        is_first: whether this process is the first of those that train together; the others need the data alone.

    Returns:
        The options, `out` and `resume` with local paths, and where the run is mirrored to; None for a local run.

    Raises:
        StoreError: a store refuses, or has no such thing.
        SettingsError: a local run is to be resumed into a store.
    """
    options = dict(options)
    data = options["data"] if is_address(options.get("data")) else None
    parent = None if place is None else parse_address(place)
    if (run := _remote_run(resume, parent)) is not None:
        parent, out = run.parent, working_folder(run.parent)
        resume = str(take_up(run) if is_first else out / run.name)
        if "data" not in options:
            data = recorded_data(run)
    elif parent is not None:
        out = prepare_runs(parent) if is_first else working_folder(parent)
    if data is not None:
        options["data"] = str(fetch_file(parse_address(data)))
    if is_first and is_address(options.get("base")):
        options["base"] = fetch_network(options["base"], whole_run=False)
    return options, out, resume, None if parent is None else Place(parent=parent, data=data)


def _remote_run(resume: str | None, parent: Address | None) -> Address | None:
    """The run on a store that is to be gone on with; None for a new or a local one."""
    if is_address(resume):
        return parse_address(str(resume))
    if resume is None or parent is None:
        return None
    if Path(resume).is_dir():
        raise SettingsError(f"--resume {resume}: a local run goes on where it is; leave out -o {parent}")
    return find_remote_run(resume, parent)


@contextlib.contextmanager
def mirrored(session: Session, place: Place | None) -> Iterator[Callable[[], str | None] | None]:
    """Mirror what is trained inside; yields what to call when a state was saved.

    Raises:
        StoreError: the store refuses at the beginning or the end, or somebody else goes on with the run.
    """
    if place is None or not session.plan.team.is_first:
        yield None
        return
    address = place.parent.child(session.run.name)
    is_new = session.plan.state.step == 0
    try:
        mirror = RunMirror(session.run, address, place.data)
        mirror.push()
    except StoreError:
        session.close()
        if is_new:
            shutil.rmtree(session.run, ignore_errors=True)
        raise

    def on_save() -> str | None:
        try:
            mirror.push()
        except TakenOverError:
            raise
        except StoreError as error:
            return f"not mirrored: {error}; going on, and trying again when the next state is saved"
        return None

    try:
        yield on_save
    except TakenOverError:
        raise
    except Exception:
        with contextlib.suppress(StoreError):  # what ended the training is what to tell of
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
