"""From what a person types to a network: an embedded name, a file, a run folder, or `RUN@KIMG`."""

import os
import re
from pathlib import Path

from stylegan.checkpoint.native import Network, load_native
from stylegan.errors import CheckpointError

__all__ = ["EMBEDDED", "find_network", "list_snapshots", "load_network"]

_PRETRAINED = Path(__file__).parents[1] / "pretrained"
EMBEDDED = {"faces64": _PRETRAINED / "faces64.safetensors"}
"""Networks that travel with the package, by name."""
_SNAPSHOT = re.compile(r"snapshot-(\d+\.\d{3})\.safetensors")


def load_network(path_or_name: str | os.PathLike[str]) -> Network:
    """Read a network.

    Args:
        path_or_name: a name in `EMBEDDED`, a file, a run folder (its last snapshot), or `RUN@KIMG` (the snapshot of
            that run nearest to KIMG).

    Returns:
        Its networks in evaluation mode, float32 on the CPU.

    Raises:
        CheckpointError: nothing there, or not a network.
    """
    path = find_network(path_or_name)
    _refuse_foreign(path)
    return load_native(path)


def find_network(path_or_name: str | os.PathLike[str]) -> Path:
    """The file that `load_network` would read.

    Raises:
        CheckpointError: there is none.
    """
    text = os.fspath(path_or_name)
    if text in EMBEDDED:
        return EMBEDDED[text]
    path = Path(text)
    if path.is_file():
        return path
    if path.is_dir():
        return _last_snapshot(path)
    folder, at, kimg = text.rpartition("@")
    if at and Path(folder).is_dir():
        return _nearest_snapshot(Path(folder), kimg)
    names = ", ".join(EMBEDDED)
    raise CheckpointError(
        f"{text}: no such network; pass a file, a run folder, RUN@KIMG, or a name ({names})"
    )


def list_snapshots(run: str | os.PathLike[str]) -> list[tuple[float, Path]]:
    """The snapshots of a run folder as (kimg, path), by kimg."""
    found = []
    for path in Path(run).glob("snapshot-*.safetensors"):
        if match := _SNAPSHOT.fullmatch(path.name):
            found.append((float(match[1]), path))
    return sorted(found)


def _last_snapshot(run: Path) -> Path:
    snapshots = list_snapshots(run)
    if not snapshots:
        raise CheckpointError(f"{run}: no snapshots in this folder; pass a run folder of `bend finetune`")
    return snapshots[-1][1]


def _nearest_snapshot(run: Path, kimg: str) -> Path:
    try:
        wanted = float(kimg)
    except ValueError:
        raise CheckpointError(
            f"{run}@{kimg}: {kimg!r} is not a number of kimg; write RUN@4 or RUN@0.25"
        ) from None
    snapshots = list_snapshots(run)
    if not snapshots:
        raise CheckpointError(f"{run}: no snapshots in this folder; pass a run folder of `bend finetune`")
    return min(snapshots, key=lambda snapshot: abs(snapshot[0] - wanted))[1]


def _refuse_foreign(path: Path) -> None:
    """Tell what a file is that is not safetensors."""
    with path.open("rb") as file:
        head = file.read(512)
    what = None
    if not head:
        what = "an empty file; copy or download it again"
    elif head.startswith(b"version https://git-lfs"):
        what = "a git-lfs pointer, not the network itself; run `git lfs pull` where it came from"
    elif head.lstrip()[:15].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        what = "a web page, not a network; the download was refused or needs a login, fetch it again"
    elif head[:1] == b"\x80":
        what = "a pickle; this version reads .safetensors networks only"
    elif head.startswith(b"PK"):
        what = "a zip archive; this version reads .safetensors networks only"
    if what is not None:
        raise CheckpointError(f"{path.name}: {what}")
