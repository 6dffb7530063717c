"""Finding the base that a delta file needs.

In order: the one that the caller names, the one of the environment variable `BEND_BASE`, the network of the recorded
name, the file at the recorded place, and a file of the recorded name beside the delta. The first whose weights are the
right ones is taken. A base may be a delta itself, of another base.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from stylegan.checkpoint.delta import BaseReference, is_delta, load_delta, read_reference
from stylegan.checkpoint.native import Network
from stylegan.errors import CheckpointError

__all__ = ["BASE_VARIABLE", "open_delta"]

BASE_VARIABLE = "BEND_BASE"
_LONGEST_CHAIN = 8


def open_delta(
    path: Path,
    base: str | os.PathLike[str] | None,
    locate: Callable[[str], Path],
    open_file: Callable[[Path], Network],
    opening: tuple[Path, ...] = (),
) -> Network:
    """Read a delta file together with the base that it needs.

    Args:
        path: the delta file.
        base: what the caller says the base is; None to look for it.
        locate: from a name or path to a file.
        open_file: reads a network file that is not a delta.
        opening: delta files that are being opened and need this one.

    Raises:
        CheckpointError: damaged, its base is not to be found, or the one at hand is another network.
    """
    reference = read_reference(path)
    opening = (*opening, path.resolve())
    failure: CheckpointError | None = None
    for text in [os.fspath(base)] if base is not None else _candidates(path, reference):
        try:
            found = locate(text)
        except CheckpointError:
            if base is not None:
                raise
            continue
        if found.resolve() in opening or len(opening) > _LONGEST_CHAIN:
            continue
        try:
            opened = (
                open_delta(found, None, locate, open_file, opening) if is_delta(found) else open_file(found)
            )
            return load_delta(path, opened)
        except CheckpointError as error:
            failure = failure or error
    raise failure or CheckpointError(
        f"{path.name}: a delta, which needs its base {reference.name}, and that is not here; "
        f"put it beside the delta, or name it in {BASE_VARIABLE}"
    )


def _candidates(path: Path, reference: BaseReference) -> Iterator[str]:
    if named := os.environ.get(BASE_VARIABLE):
        yield named
    if reference.name and Path(reference.name).name == reference.name:
        yield reference.name
    if reference.path:
        yield str(path.parent / reference.path)
    if reference.name:
        yield str(path.parent / Path(reference.name).name)
