"""Pictures of other sizes and shapes: a wider constant makes a wider picture.

The synthesis convolves a learned 4×4 constant, so that a constant of 8×4 gives a picture twice as wide. The constant is
extended about its centre: `reflect` mirrors it outwards, `tile` repeats it, `stretch` interpolates it. The noise of the
layers keeps its own pixels in the middle, with seeded noise around them. Since every layer only sees a neighbourhood, a
picture too large for memory is drawn in tiles (`bend.tiles`), which overlap by as much as the layers see.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from bend.config import RenderConfig
from bend.errors import SettingsError
from bend.picture import check_sheet_size
from bend.play import Moment
from bend.style_layers import style_layers
from bend.tiles import Canvas, drawn_in_tiles
from stylegan.generator import Generator
from stylegan.taps import hang, taps

__all__ = ["Sized", "check_sheet", "extend", "extend_noise", "open_size", "sheet_sides"]

_MOST_PIXELS = 2**26  # 8192×8192; the picture itself and its noise are held whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """The play that draws another size.

    Attributes:
        rows: of the wider constant.
        columns: of the wider constant.
        how: `reflect`, `tile` or `stretch`.
        in_tiles: whether it may draw in tiles, which bends of whole feature maps do not allow.
    """

    rows: int
    columns: int
    how: str
    in_tiles: bool = True

    @property
    def varies(self) -> bool:
        """True, so that pictures are drawn one by one: a wide one takes as much memory as many others."""
        return True

    @contextlib.contextmanager
    def during(self, G: Generator, moment: Moment) -> Iterator[None]:
        """Widen the constant and the noise of `G`."""
        first = G.synthesis.blocks()[0]
        scale = {at.row: at.resolution // first.resolution for at in style_layers(G)}
        noises = {
            at.row: extend_noise(
                at.layer.noise_const, self.rows * scale[at.row], self.columns * scale[at.row], seed=at.row
            )
            for at in style_layers(G)
            if at.layer.use_noise
        }
        canvas = Canvas(rows=self.rows, columns=self.columns, noises=noises)

        def widen(x: Tensor) -> Tensor:
            return canvas.cut(extend(x, self.rows, self.columns, self.how))

        with contextlib.ExitStack() as stack:
            stack.enter_context(hang(G, taps(G)[f"b{first.resolution}.const"], widen))
            stack.enter_context(drawn_in_tiles(G, canvas, whole=not self.in_tiles))
            yield


def open_size(config: RenderConfig, G: Generator, *, in_tiles: bool = True) -> tuple[Sized, ...]:
    """The play of `config.size`: one, or none for the network's own size.

    Raises:
        SettingsError: a size that this network cannot draw.
    """
    if config.size is None or config.size == (G.img_resolution, G.img_resolution):
        return ()
    width, height = config.size
    step = G.img_resolution // G.synthesis.blocks()[0].resolution
    if width % step or height % step:
        near = "x".join(str(max(round(side / step), 1) * step) for side in (width, height))
        raise SettingsError(f"size {width}x{height}: this network draws multiples of {step}; ask for {near}")
    if width * height > _MOST_PIXELS:
        raise SettingsError(
            f"size {width}x{height}: more than {_MOST_PIXELS:,} pixels; ask for a smaller one"
        )
    return (Sized(rows=height // step, columns=width // step, how=config.extend, in_tiles=in_tiles),)


def check_sheet(path: Path, config: RenderConfig, G: Generator, columns: int, rows: int) -> None:
    """Refuse, before it is drawn, a sheet of pictures by `G` that its format or memory cannot hold.

    Raises:
        RenderError: it is too big.
    """
    check_sheet_size(path, *sheet_sides(config, G, columns, rows))


def sheet_sides(config: RenderConfig, G: Generator, columns: int, rows: int) -> tuple[int, int]:
    """Width and height in pixels of a sheet of pictures by `G`."""
    width, height = config.size or (G.img_resolution, G.img_resolution)
    return columns * width * config.scale, rows * height * config.scale


def extend(x: Tensor, rows: int, columns: int, how: str) -> Tensor:
    """Extend or crop a constant about its centre.

    Args:
        x: `[N, C, h, w]`.
        rows: new height.
        columns: new width.
        how: `reflect`, `tile` or `stretch`.

    Returns:
        `[N, C, rows, columns]`.
    """
    if how == "stretch":
        return functional.interpolate(x, (rows, columns), mode="bilinear", align_corners=False)
    down, across = (_indices(new, old, how) for new, old in zip((rows, columns), x.shape[2:], strict=True))
    return x[:, :, down.to(x.device)[:, None], across.to(x.device)[None, :]]


def extend_noise(noise: Tensor, rows: int, columns: int, seed: int) -> Tensor:
    """A layer's noise `[h, w]` in the middle of seeded noise `[rows, columns]`, cropped to that if it is larger."""
    generator = torch.Generator().manual_seed(seed)
    wider = torch.randn([rows, columns], generator=generator, dtype=noise.dtype).to(noise.device)
    (top, from_top, height), (left, from_left, width) = (
        (max((new - old) // 2, 0), max((old - new) // 2, 0), min(new, old))
        for new, old in zip((rows, columns), noise.shape, strict=True)
    )
    own = noise[from_top : from_top + height, from_left : from_left + width]
    wider[top : top + height, left : left + width] = own
    return wider


def _indices(new: int, old: int, how: str) -> Tensor:
    """For each of `new` places the index of the one of `old` that goes there."""
    places = torch.arange(new) - (new - old) // 2
    if how == "tile":
        return places % old
    folded = places % (2 * old)
    return torch.minimum(folded, 2 * old - 1 - folded)
