"""From what a person types to a network: an embedded name, a file, a run folder, or `RUN@KIMG`."""

import difflib
import math
import os
from pathlib import Path

import torch

from stylegan.checkpoint.bases import open_delta
from stylegan.checkpoint.cache import cached_network
from stylegan.checkpoint.delta import is_delta, outline_delta
from stylegan.checkpoint.known import KNOWN
from stylegan.checkpoint.legacy import is_legacy, load_legacy
from stylegan.checkpoint.native import Network, load_native
from stylegan.errors import CheckpointError
from stylegan.run_names import SNAPSHOT

__all__ = ["EMBEDDED", "find_network", "list_snapshots", "load_network", "outline_network"]

_PRETRAINED = Path(__file__).parents[1] / "pretrained"
EMBEDDED = {name: _PRETRAINED / f"{name}.safetensors" for name in ("faces64", "faces128")}
"""Networks that travel with the package, by name."""


@torch.inference_mode(False)  # what is read can be trained, wherever it was asked for
def load_network(
    path_or_name: str | os.PathLike[str], *, base: str | os.PathLike[str] | None = None
) -> Network:
    """Read a network.

    Args:
        path_or_name: a name in `EMBEDDED`, a downloaded one in `KNOWN`, a file, a run folder (its last snapshot), or
            `RUN@KIMG` (the snapshot of that run at KIMG).
        base: what a delta file was taken from, if it is not to be found by what the delta says; otherwise unused.

    Returns:
        Its networks in evaluation mode, float32 on the CPU.

    Raises:
        CheckpointError: nothing there, or not a network.
    """
    path = find_network(path_or_name)
    return open_delta(path, base, find_network, _open_file) if is_delta(path) else _open_file(path)


def outline_network(path_or_name: str | os.PathLike[str]) -> Network:
    """What `load_network` would read, without its weights: names, shapes and settings, compared with the file's.

    Args:
        path_or_name: as `load_network` takes it.

    Returns:
        Its networks in evaluation mode on the meta device: quick to make, whatever their size, and not to be run.

    Raises:
        CheckpointError: nothing there, or not a network.
    """
    path = find_network(path_or_name)
    if is_delta(path):
        return outline_delta(path)
    return load_legacy(path, with_weights=False) if is_legacy(path) else load_native(path, with_weights=False)


def find_network(path_or_name: str | os.PathLike[str]) -> Path:
    """The file that `load_network` would read; a `~` at the beginning is the user's home.

    Raises:
        CheckpointError: there is none.
    """
    text = os.fspath(path_or_name)
    if text in EMBEDDED:
        return _embedded(text)
    try:
        if text in KNOWN and (cached := cached_network(text)):
            return cached
        if found := _find_path(_expanded(text)):
            return found
    except OSError as error:
        raise CheckpointError(
            f"{text:.200}: cannot be read ({error.strerror}); check its name and rights"
        ) from None
    if text in KNOWN:
        raise CheckpointError(f"{text}: not downloaded yet; run `bend models pull {text}`")
    names = ", ".join(EMBEDDED)
    near = difflib.get_close_matches(text, [*EMBEDDED, *KNOWN], n=1)
    meant = f", the nearest is {near[0]}" if near else ""
    raise CheckpointError(
        f"{text}: no such network{meant}; pass a file, a run folder, RUN@KIMG, or a name ({names})"
    )


def list_snapshots(run: str | os.PathLike[str]) -> list[tuple[float, Path]]:
    """The snapshots of a run folder as (kimg, path), by kimg.

    Raises:
        OSError: the folder cannot be listed.
    """
    found = []
    for path in Path(run).iterdir():
        if match := SNAPSHOT.fullmatch(path.name):
            found.append((float(match[1]), path))
    return sorted(found)


def _open_file(path: Path) -> Network:
    return load_legacy(path) if is_legacy(path) else load_native(path)


def _embedded(name: str) -> Path:
    path = EMBEDDED[name]
    if not path.is_file():
        raise CheckpointError(
            f"{name}: the embedded network is missing from this installation; reinstall bend"
        )
    return path


def _expanded(text: str) -> str:
    """The text with a `~` at its beginning expanded, as shells do not in `--network=~/x` and recipes never do."""
    try:
        return str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError:  # no such user
        return text


def _find_path(text: str) -> Path | None:
    if not text:
        return None
    path = Path(text)
    if path.is_file():
        return path
    if path.is_dir():
        return _snapshots(path)[-1][1]
    folder, at, kimg = text.rpartition("@")
    if at and folder and Path(folder).is_dir():
        return _snapshot_at(Path(folder), kimg)
    return None


def _snapshots(run: Path) -> list[tuple[float, Path]]:
    snapshots = list_snapshots(run)
    if not snapshots:
        raise CheckpointError(f"{run}: no snapshots in this folder; pass a run folder of `bend finetune`")
    return snapshots


def _snapshot_at(run: Path, kimg: str) -> Path:
    try:
        wanted = float(kimg)
    except ValueError:
        wanted = math.nan
    if not math.isfinite(wanted) or wanted < 0:
        raise CheckpointError(f"{run}@{kimg}: {kimg!r} is not a number of kimg; write RUN@4 or RUN@0.25")
    snapshots = dict(_snapshots(run))
    if wanted not in snapshots:
        there = ", ".join(f"{moment:g}" for moment in snapshots)
        raise CheckpointError(f"{run}@{kimg}: no snapshot at that moment; this run has {there}")
    return snapshots[wanted]
