"""The pictures of a test as numbers that can be subtracted."""

from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["pixels"]


def pixels(file: Path | IO[bytes]) -> NDArray[np.int64]:
    """A picture file in RGB, `[H, W, 3]`; signed, so that differences do not wrap."""
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB")).astype(np.int64)
