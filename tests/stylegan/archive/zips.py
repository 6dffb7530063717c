"""Zips and pictures for the archive's tests, made by Pillow and the standard library rather than by our writer."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylegan.archive import DatasetZip

Pixels = npt.NDArray[np.uint8]


def noise(seed: int, *shape: int) -> Pixels:
    """Random bytes of the given shape."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(image: Pixels | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """An image, or pixels [H, W(, C)], as a picture file."""
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def write_zip(path: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    """A zip of the given members, in the given order."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def data_set(
    path: Path, num_images: int = 3, resolution: int = 8, labels: Any = None, **members: bytes
) -> Path:
    """A sound data set of noise; `labels` is a list to be paired with the names."""
    names = [f"00000/img{i:08d}.png" for i in range(num_images)]
    pictures = {name: encoded(noise(i, resolution, resolution, 3)) for i, name in enumerate(names)}
    if labels is not None:
        labels = [[name, label] for name, label in zip(names, labels, strict=False)]
    metadata = json.dumps({"labels": labels}).encode()
    return write_zip(path, pictures | members | {"dataset.json": metadata})


def sum_of(data: DatasetZip) -> int:
    """The sum of all pixels of a data set. It is here for spawned processes, which then import only this module."""
    return int(sum(data.image(i).astype(np.int64).sum() for i in range(len(data))))
