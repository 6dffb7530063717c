"""Feature maps as small pictures: the signal at each tap, so that one sees how the data flows.

The channels of a layer are split into three groups in order, whose means are red, green and blue: where groups differ
the tile is colourful, where they agree it is grey. Styles and w, which have no height and width, are shown as a square
or as bars. All maps of a moment go onto one sheet.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bend.picture import encode_webp

__all__ = ["TILE", "Watch", "sheet_of_maps"]

TILE = 40
"""Pixels of a tile's side."""
_EVERY_S = 0.25


class Watch:
    """Which taps' maps are shown, and when the next ones are due."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._next = 0.0

    def show(self, names: tuple[str, ...]) -> None:
        """Show the maps of these taps, from the next frame on."""
        self._names, self._next = names, 0.0

    def due(self, now: float) -> dict[str, Tensor | None] | None:
        """A dict to be filled with the maps of a frame drawn at `now`, of `time.monotonic`; None if none are due."""
        if not self._names or now < self._next:
            return None
        self._next = now + _EVERY_S
        return dict.fromkeys(self._names)


@torch.inference_mode()
def sheet_of_maps(maps: Mapping[str, Tensor | None], order: Sequence[str], columns: int = 8) -> bytes:
    """The maps on one sheet, as a WebP.

    Args:
        maps: by tap: `[1, C, H, W]`, `[1, C]` or `[1, num_ws, w_dim]`; None leaves the tile black.
        order: taps in the order of their tiles, row by row.
        columns: tiles in a row.
    """
    rows = max(math.ceil(len(order) / columns), 1)
    sheet = np.zeros([rows * TILE, columns * TILE, 3], np.uint8)
    for number, name in enumerate(order):
        x = maps.get(name)
        if x is None:
            continue
        row, column = divmod(number, columns)
        sheet[row * TILE :, column * TILE :][:TILE, :TILE] = _tile(x[0])
    return encode_webp(sheet, quality=70, method=0)


def _tile(x: Tensor) -> np.ndarray:
    """uint8 `[TILE, TILE, 3]` of a signal without its batch."""
    x = torch.nan_to_num(x.float())
    if x.ndim == 1:
        side = math.ceil(math.sqrt(len(x)))
        x = F.pad(x, [0, side * side - len(x)]).reshape(1, side, side)
    elif x.ndim == 2:
        x = x[None]
    groups = [part.mean(dim=0) for part in x.tensor_split(3)] if len(x) >= 3 else [x.mean(dim=0)] * 3
    colours = torch.stack(groups)
    low, high = colours.amin(), colours.amax()
    colours = (colours - low) / (high - low).clamp(min=1e-6)
    mode = "area" if min(colours.shape[1:]) > TILE else "nearest"
    tile = F.interpolate(colours[None], size=(TILE, TILE), mode=mode)[0]
    return (tile * 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
