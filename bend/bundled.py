"""Finds the folder `datasets` that comes with bend: the sample photos with their licences, and recipes.

In a source checkout it lies beside the package, in an installed wheel inside it, as `bend/datasets`. It holds no
Python on purpose: an importable top-level `datasets` would hide the library of that name.
"""

from pathlib import Path

from bend.errors import BendError

__all__ = ["datasets_folder", "sample_folder"]


def datasets_folder() -> Path:
    """The bundled `datasets` folder, wherever bend is installed.

    Raises:
        BendError: the installation has lost it.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "datasets", package.parent / "datasets"):
        if (folder / "sample" / "manifest.jsonl").is_file():
            return folder
    raise BendError(f"the bundled photos are missing beside {package}; install bend-gan again")


def sample_folder() -> Path:
    """The thirteen sample photos of rock, trees and leaves, with `manifest.jsonl` and `ATTRIBUTION.md`.

    Raises:
        BendError: the installation has lost it.
    """
    return datasets_folder() / "sample"
