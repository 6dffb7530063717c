"""Chooses the part of a picture that becomes the training image, and cuts it out.

A `Crop` is a box in the pixels of the upright file, and the size at which it is drawn; the rest of the square is filled
with the background. `center`, `center-wide`, `fit` and `entropy` give one crop a picture, `bend.prepare.tiles` many.
Scaling is Lanczos with antialiasing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["CROPS", "WIDE_ASPECT", "Box", "Crop", "cut", "grey_copy"]

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; right and bottom are outside."""

WIDE_ASPECT = 4 / 3
"""Width over height of `center-wide`: the format of cars and rooms, with bars above and below."""

_NUM_ENTROPY_STEPS = 24
_REDUCING_GAP = 3.0  # Pillow may shrink by whole factors first while Lanczos still has 3× to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A part of a picture, and its size in the square."""

    box: Box
    """In pixels of the upright file."""
    drawn: tuple[float, float] = (1.0, 1.0)
    """Width and height it is drawn at, as parts of the square's side, centred."""


def cut(
    image: Image.Image,
    full_size: tuple[int, int],
    crop: Crop,
    resolution: int,
    background: tuple[int, int, int],
) -> Image.Image:
    """Cut `crop` out of `image` and scale it to a square.

    Args:
        image: upright RGB, perhaps decoded smaller than the file is.
        full_size: width and height of the upright file, which `crop.box` refers to.
        crop: what to cut.
        resolution: side of the result in pixels.
        background: RGB colour around what does not fill the square.
    """
    x_scale, y_scale = image.width / full_size[0], image.height / full_size[1]
    left, top, right, bottom = crop.box
    box = (
        left * x_scale,
        top * y_scale,
        min(right * x_scale, image.width),
        min(bottom * y_scale, image.height),
    )
    size = (max(1, round(crop.drawn[0] * resolution)), max(1, round(crop.drawn[1] * resolution)))
    drawn = image.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=_REDUCING_GAP)
    if size == (resolution, resolution):
        return drawn
    canvas = Image.new("RGB", (resolution, resolution), background)
    canvas.paste(drawn, ((resolution - size[0]) // 2, (resolution - size[1]) // 2))
    return canvas


def grey_copy(image: Image.Image, longest: int) -> npt.NDArray[np.uint8]:
    """A small grey copy to judge content by, uint8 [h, w], its longer side at most `longest` pixels."""
    scale = min(1.0, longest / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.asarray(image.resize(size, Image.Resampling.BOX, reducing_gap=1.0).convert("L"))


def _center(image: Image.Image, full_size: tuple[int, int]) -> Crop:
    return Crop(box=_centred_box(full_size, min(full_size), min(full_size)))


def _center_wide(image: Image.Image, full_size: tuple[int, int]) -> Crop:
    width, height = full_size
    box_width = min(width, round(height * WIDE_ASPECT))
    box_height = max(1, min(height, round(box_width / WIDE_ASPECT)))
    return Crop(box=_centred_box(full_size, box_width, box_height), drawn=(1.0, box_height / box_width))


def _fit(image: Image.Image, full_size: tuple[int, int]) -> Crop:
    width, height = full_size
    longest = max(full_size)
    return Crop(box=(0, 0, width, height), drawn=(width / longest, height / longest))


def _entropy(image: Image.Image, full_size: tuple[int, int]) -> Crop:
    """The largest square with the most varied greys; of equals, the one nearest the middle."""
    width, height = full_size
    side, room = min(full_size), max(full_size) - min(full_size)
    grey = grey_copy(image, 256)
    steps = min(_NUM_ENTROPY_STEPS, room) + 1
    offsets = sorted({round(room * i / max(1, steps - 1)) for i in range(steps)} | {room // 2})
    scale = max(grey.shape) / max(full_size)
    window = max(1, round(side * scale))
    strip = grey if width >= height else grey.T  # slide along the columns

    def score(offset: int) -> tuple[float, int]:
        start = min(round(offset * scale), strip.shape[1] - 1)
        return (round(_grey_entropy(strip[:, start : start + window]), 3), -abs(offset - room // 2))

    best = max(offsets, key=score)
    left, top = (best, 0) if width >= height else (0, best)
    return Crop(box=(left, top, left + side, top + side))


def _grey_entropy(grey: npt.NDArray[np.uint8]) -> float:
    """Shannon entropy of the greys, bits a pixel."""
    counts = np.bincount(grey.ravel(), minlength=256)
    shares = counts[counts > 0] / grey.size
    return float(-(shares * np.log2(shares)).sum())


def _centred_box(full_size: tuple[int, int], width: int, height: int) -> Box:
    left, top = (full_size[0] - width) // 2, (full_size[1] - height) // 2
    return (left, top, left + width, top + height)


CROPS: dict[str, Callable[[Image.Image, tuple[int, int]], Crop]] = {
    "center": _center,
    "center-wide": _center_wide,
    "fit": _fit,
    "entropy": _entropy,
}
"""Crops by name: given the decoded picture and the file's upright size, the part to keep."""
