"""Whether a file is a picture, by its content, for messages about files that should have been something else."""

import warnings
from pathlib import Path

from PIL import Image

__all__ = ["picture_kind"]


def picture_kind(path: str | Path) -> str | None:
    """The format of a picture, such as `PNG`; None for any other file, and for one that cannot be read."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            return image.format
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
