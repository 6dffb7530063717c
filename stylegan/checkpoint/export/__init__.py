"""Network files for other programs, one module for each format, chosen by the ending of the name.

What a format can hold is kept bit by bit; what it cannot hold is listed in notes, a line each.
"""

import os
from pathlib import Path
from typing import Protocol

from stylegan.checkpoint.export.native import save_native
from stylegan.checkpoint.export.official import save_official
from stylegan.checkpoint.export.onnx import onnx_paths, save_onnx
from stylegan.checkpoint.export.rosinality import save_rosinality
from stylegan.checkpoint.native import Network, check_savable
from stylegan.errors import CheckpointError

__all__ = ["WRITERS", "export_network", "written_files"]


class _Writer(Protocol):
    """Writes a network; unless `replace`, a file that exists by then stays, and FileExistsError is raised."""

    def __call__(self, path: Path, network: Network, *, replace: bool = True) -> list[str]: ...


WRITERS: dict[str, _Writer] = {
    ".safetensors": save_native,
    ".pkl": save_official,
    ".pt": save_rosinality,
    ".onnx": save_onnx,
}
"""By the ending of the file's name: ours, the official tools', rosinality's, and ONNX."""


def export_network(path: str | os.PathLike[str], network: Network, *, replace: bool = True) -> list[str]:
    """Write a network in the format that the name's ending asks for.

    Args:
        path: final name.
        network: what to write.
        replace: whether to replace files that exist by then.

    Returns:
        What the format cannot carry or what had to be made up, a line each.

    Raises:
        ValueError: a network that could not be read back from any format (`check_savable`).
        CheckpointError: an unknown ending, or a network that the format cannot hold.
        FileExistsError: one is there, and is not to be replaced.
        OSError: the file cannot be written, or the disk is full.
    """
    write = _writer(Path(path))
    for name, part in network.parts().items():
        check_savable(name, part)
    return write(Path(path), network, replace=replace)


def written_files(path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """The files that `export_network` would write.

    Raises:
        CheckpointError: an unknown ending.
    """
    return onnx_paths(path) if _writer(Path(path)) is save_onnx else (Path(path),)


def _writer(path: Path) -> _Writer:
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise CheckpointError(
            f"{path.name}: no format ends like this; name the file with one of {', '.join(WRITERS)}"
        )
    return writer
