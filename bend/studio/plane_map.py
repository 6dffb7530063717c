"""The map's background: small pictures of the plane on which the point is moved."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from PIL import Image

from bend.picture import encode_webp
from bend.play import Moment
from bend.studio.message import Message
from bend.studio.patch import Patch
from bend.studio.stage import Stage

__all__ = ["EXTENTS", "ground"]

EXTENTS = {"seeds": (-0.25, 1.25), "pca": (-3.0, 3.0)}
"""The part of the plane that is shown, the same in both directions."""
_CELLS = 7
_SIDE = 48


def ground(stage: Stage, patch: Patch, key: str) -> Iterator[Message | None]:
    """Draw the background of the map, one row at each step.

    Args:
        stage: the network.
        patch: whose place says which plane, and whose bends act.
        key: the page's name for this map, which is sent along.

    Yields:
        None, and at the end `ground` with the sheet, which is square.
    """
    low, high = EXTENTS[patch.place.mode]
    at = np.linspace(low, high, _CELLS + 1)
    middles = ((at[1:] + at[:-1]) / 2).tolist()
    sheet = np.zeros([_CELLS * _SIDE, _CELLS * _SIDE, 3], np.uint8)
    for row, y in enumerate(middles):
        stage.prepare(patch)
        for column, x in enumerate(middles):
            place = dataclasses.replace(patch.place, x=x, y=y, to=None, share=0.0)
            picture = stage.draw(patch, stage.w(place, patch.class_index), Moment(), most=64)
            small = Image.fromarray(picture).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
            sheet[row * _SIDE :, column * _SIDE :][:_SIDE, :_SIDE] = np.asarray(small)
        yield None
    yield Message("ground", {"key": key, "low": low, "high": high}, encode_webp(sheet, quality=75, method=0))
