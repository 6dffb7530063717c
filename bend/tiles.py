"""Draws a wide picture in tiles that fit memory, each with a margin as wide as the layers can see.

Every layer of the synthesis only sees a neighbourhood, so the inside of a tile drawn with a margin has the same values
as in the whole picture, to rounding. The tiles depend on the network and the size alone, not on free memory, so that
the same work gives the same bytes.
"""

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

from torch import Tensor

from bend.style_layers import style_layers
from stylegan.draws import NoiseSource, normal
from stylegan.generator import Generator
from stylegan.layers import NoiseMode
from stylegan.synthesis import SynthesisNetwork

__all__ = ["HALO", "Canvas", "current_canvas", "drawn_in_tiles", "tile_spans"]

HALO = 5
"""The margin of a tile, in pixels of the constant. Four are enough for 64-pixel networks (a test measures it), and
every further doubling of the resolution sees half as far as the one before."""
_TILE_FLOATS = 2**24  # of the widest feature map of one tile

_canvas: ContextVar["Canvas | None"] = ContextVar("canvas", default=None)


def current_canvas() -> "Canvas | None":
    """The wide picture of which a tile is being drawn, else None. What depends on positions must ask."""
    return _canvas.get()


@dataclass(slots=True, kw_only=True)
class Canvas:
    """The wide picture while it is drawn.

    Attributes:
        rows: of the constant.
        columns: of the constant.
        noises: the layers' noise for the whole picture, `[H, W]` by row of ws.
        span: the rows and columns of the constant that are being drawn.
    """

    rows: int
    columns: int
    noises: dict[int, Tensor]
    span: tuple[slice, slice] = field(default=(slice(None), slice(None)))

    def cut(self, x: Tensor) -> Tensor:
        """The part of `[…, rows · k, columns · k]` that is being drawn, for any whole k."""
        k = x.shape[-2] // self.rows
        down, across = (slice(None) if s.start is None else slice(s.start * k, s.stop * k) for s in self.span)
        return x[..., down, across]

    def whole_size(self, height: int) -> tuple[int, int]:
        """Height and width of the whole feature map of which `height` rows are being drawn."""
        down, _ = self.span
        k = height // (self.rows if down.start is None else down.stop - down.start)
        return self.rows * k, self.columns * k


@contextlib.contextmanager
def drawn_in_tiles(G: Generator, canvas: Canvas, *, whole: bool = False) -> Iterator[None]:
    """Have `G.synthesis` draw the canvas, in tiles if it is large and not `whole`."""
    synthesis = G.synthesis
    side = max(math.isqrt(_TILE_FLOATS // _floats_per_place(G)), 2 * HALO + 4)
    num_tiles = (1, 1) if whole else (_cuts(canvas.rows, side), _cuts(canvas.columns, side))

    def forward(
        ws: Tensor,
        noise_mode: NoiseMode = "random",
        force_fp32: bool = False,
        generator: NoiseSource | None = None,
    ) -> Tensor:
        def plain(noise_mode: NoiseMode) -> Tensor:
            return SynthesisNetwork.forward(synthesis, ws, noise_mode, force_fp32, generator)

        if noise_mode == "random":
            noises = {row: _fresh(noise, len(ws), generator) for row, noise in canvas.noises.items()}
            noise_mode = "const"
        else:
            noises = canvas.noises
        if num_tiles == (1, 1):
            with _noises(G, canvas, noises):
                return plain(noise_mode)
        return _assembled(G, canvas, noises, num_tiles, lambda: plain(noise_mode))

    synthesis.forward = forward  # type: ignore[method-assign]
    try:
        yield
    finally:
        del synthesis.forward


def tile_spans(size: int, num: int) -> list[tuple[int, int, int, int]]:
    """Cut `size` places into `num` parts; gives for each its start and stop, without and with the halo."""
    edges = [round(i * size / num) for i in range(num + 1)]
    return [
        (start, stop, max(start - HALO, 0), min(stop + HALO, size))
        for start, stop in itertools.pairwise(edges)
    ]


def _assembled(
    G: Generator,
    canvas: Canvas,
    noises: dict[int, Tensor],
    num_tiles: tuple[int, int],
    draw: Callable[[], Tensor],
) -> Tensor:
    k = G.img_resolution // G.synthesis.blocks()[0].resolution
    picture: Tensor | None = None
    for top, bottom, from_top, to_bottom in tile_spans(canvas.rows, num_tiles[0]):
        for left, right, from_left, to_right in tile_spans(canvas.columns, num_tiles[1]):
            canvas.span = (slice(from_top, to_bottom), slice(from_left, to_right))
            known = _canvas.set(canvas)
            try:
                with _noises(G, canvas, noises):
                    tile = draw()
            finally:
                _canvas.reset(known)
                canvas.span = (slice(None), slice(None))
            if picture is None:
                picture = tile.new_empty([*tile.shape[:2], canvas.rows * k, canvas.columns * k])
            inner = tile[
                ...,
                (top - from_top) * k : (bottom - from_top) * k,
                (left - from_left) * k : (right - from_left) * k,
            ]
            picture[..., top * k : bottom * k, left * k : right * k] = inner
    assert picture is not None
    return picture


@contextlib.contextmanager
def _noises(G: Generator, canvas: Canvas, noises: dict[int, Tensor]) -> Iterator[None]:
    """Give every layer the noise of the part that is being drawn."""
    layers = {at.row: at.layer for at in style_layers(G) if at.layer.use_noise}
    own = {row: layer.noise_const for row, layer in layers.items()}
    try:
        for row, layer in layers.items():
            layer.noise_const = canvas.cut(noises[row])
        yield
    finally:
        for row, layer in layers.items():
            layer.noise_const = own[row]


def _fresh(noise: Tensor, num: int, source: NoiseSource | None) -> Tensor:
    """Random noise for the whole picture, `[H, W]`, or `[num, 1, H, W]` where there are more."""
    drawn = normal([num, 1, *noise.shape], source, device=noise.device, dtype=noise.dtype)
    return drawn[0, 0] if num == 1 else drawn


def _floats_per_place(G: Generator) -> int:
    """Size of the widest feature map over one pixel of the constant."""
    first = G.synthesis.blocks()[0].resolution
    return max(at.layer.weight.shape[0] * (at.resolution // first) ** 2 for at in style_layers(G))


def _cuts(size: int, side: int) -> int:
    """How many tiles a side of `size` places takes, if one with its halo may be `side` long."""
    return 1 if size <= side else math.ceil(size / (side - 2 * HALO))
