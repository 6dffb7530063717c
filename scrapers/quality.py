"""Rough measures of whether a picture is worth learning from: is it sharp, is there anything on it, is it text.

All are computed from a grey picture of at most 512 pixels and none needs a model. They are made to find the plainly
useless among many, so their thresholds err on the side of keeping.

Sharpness compares the Laplacian's spread at two scales. Photographs look much alike at either (their spectra fall
as 1/f), while blur empties the finer one; the ratio does not depend on contrast or motif, unlike the variance of the
Laplacian by itself (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["SIDE", "Quality", "measure"]

SIDE = 512
"""Pixels of the longer side at which pictures are measured."""

_BLOCK = 16
# Rounding to whole grey levels adds this variance to a Laplacian: 1/12 times its squared weights (1, 1, 1, 1, -4).
_ROUNDING = 20 / 12
_LEAST_SPREAD = 4.0  # of grey levels in a block that shows something
_TEXT_CONTRAST = 90.0  # between ink and paper
_TEXT_EXTREMES = 0.75  # of a block's pixels are ink or paper, not in between


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Measures of one picture.

    Attributes:
        sharpness: fine detail relative to coarse; photographs in focus have 0.5 to 1.5, plain blur under 0.3.
        texture: share of the picture on which something is to be seen, 0 to 1.
        text: share of the picture that looks like print on paper or on a screen, 0 to 1.
    """

    sharpness: float
    texture: float
    text: float


def measure(grey: Image.Image) -> Quality:
    """Measure a picture.

    Args:
        grey: mode L.
    """
    small = grey.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    values = np.asarray(small, dtype=np.float32)
    half = np.asarray(small.reduce(2), dtype=np.float32)
    blocks = _blocks(values)
    return Quality(
        sharpness=round(_spread(values) / max(_spread(half), 1e-3), 3),
        texture=round(float((blocks.std(axis=(1, 2)) > _LEAST_SPREAD).mean()), 3) if len(blocks) else 0.0,
        text=round(float(_looks_printed(blocks).mean()), 3) if len(blocks) else 0.0,
    )


def _spread(values: npt.NDArray[np.float32]) -> float:
    """Standard deviation of the Laplacian without that of rounding; 0 for a picture too small to have one."""
    if min(values.shape) < 3:
        return 0.0
    inner = values[1:-1, 1:-1]
    laplacian = values[:-2, 1:-1] + values[2:, 1:-1] + values[1:-1, :-2] + values[1:-1, 2:] - 4 * inner
    return float(max(laplacian.var() - _ROUNDING, 0.0)) ** 0.5


def _blocks(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Squares of 16 pixels, [N, 16, 16]; what is left at the edges is not looked at."""
    rows, columns = values.shape[0] // _BLOCK, values.shape[1] // _BLOCK
    cut = values[: rows * _BLOCK, : columns * _BLOCK]
    return cut.reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2).reshape(-1, _BLOCK, _BLOCK)


def _looks_printed(blocks: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Blocks of two tones far apart, one of them prevailing, that change often along their rows."""
    low, high = blocks.min(axis=(1, 2)), blocks.max(axis=(1, 2))
    contrast = high - low
    scaled = (blocks - low[:, None, None]) / np.maximum(contrast, 1e-3)[:, None, None]
    extremes = ((scaled < 0.2) | (scaled > 0.8)).mean(axis=(1, 2))
    is_light = scaled > 0.5
    changes = (is_light[:, :, 1:] != is_light[:, :, :-1]).sum(axis=2).mean(axis=1)
    share = is_light.mean(axis=(1, 2))
    is_paper = (share > 0.6) | (share < 0.4)
    return (contrast > _TEXT_CONTRAST) & (extremes > _TEXT_EXTREMES) & (changes > 1.0) & is_paper
