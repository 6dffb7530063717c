"""The plane: a sheet along whose two axes any two settings of a network change.

    seeds             from the first seed to the next; with both axes, through three seeds
    sefa:3=-3..3      a direction of w, see `bend.directions`
    kimg=0..4         training time of a run, also between snapshots
    dial=-0.5..1.5    from the base of `--dial-from` to the network and beyond
    trunc=0..1.5      truncation

Through three seeds it is a map of latent space; with kimg on one axis, it shows latent space while it breaks. Cells of
the same weights are drawn together, so that weights are set only once for all of them.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bend import latents, render
from bend.automation import Constant, parse, parse_range
from bend.config import PlaneConfig, RenderConfig
from bend.dial.amount import Amount
from bend.dial.play import Dial
from bend.dial.training_time import TrainingTime, check_moments, run_snapshots
from bend.dial.weight_plays import open_own_dial
from bend.directions import BASES, parse_direction, vector_of
from bend.errors import SettingsError, about
from bend.nearest import nearest
from bend.picture import Pixels, Rendered, check_picture_output, enlarge, one_picture, save_picture
from bend.play import Moment
from bend.progress import counted
from bend.sizes import check_sheet
from bend.work import describe
from stylegan.generator import Generator

__all__ = ["Axis", "parse_axis", "render_plane"]

_RANGES = {"seeds": (0.0, 1.0), "trunc": (0.0, 1.0), "dial": (-0.5, 1.5), "kimg": None}
_DIRECTION_RANGE = (-3.0, 3.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What changes along a side of the sheet.

    Attributes:
        name: `seeds`, `kimg`, `dial`, `trunc`, or a direction such as `sefa:3`.
        ends: at the first and last cell; None for the usual range, which of kimg is the whole run.
    """

    name: str
    ends: tuple[float, float] | None = None

    @property
    def is_direction(self) -> bool:
        """Whether it shifts w along a direction."""
        return self.name not in _RANGES

    def values(self, num: int, extent: float, moments: Sequence[float]) -> list[float]:
        """The value at each cell.

        Args:
            num: cells.
            extent: how far seeds reach beyond their ends.
            moments: of the run's snapshots, which cells of kimg are spaced like.
        """
        if self.name == "kimg":
            places = np.arange(len(moments))
            first, last = np.interp(self.ends or (moments[0], moments[-1]), moments, places).tolist()
            return [float(at) for at in np.interp(np.linspace(first, last, num), places, moments)]
        low, high = self.ends or _RANGES.get(self.name) or _DIRECTION_RANGE
        if self.name == "seeds":
            low, high = low - extent, high + extent
        return [float(at) for at in torch.linspace(low, high, num)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    """A place on the sheet, and what is drawn there; None for what no axis moves."""

    row: int
    column: int
    across: float = 0.0
    down: float = 0.0
    kimg: float | None = None
    dial: float | None = None
    trunc: float | None = None
    directions: tuple[str, ...] = ()

    @property
    def weights(self) -> tuple[float, float, tuple[str, ...]]:
        """What it asks of the weights; cells that ask the same are drawn together."""
        return (self.kimg or 0.0, self.dial or 0.0, self.directions)


def parse_axis(text: str) -> Axis:
    """Read an axis, see the module.

    Raises:
        SettingsError: it is malformed.
    """
    name, equals, ends = text.strip().partition("=")
    if name not in _RANGES and not _is_direction(name):
        close = nearest(name, [*_RANGES, *BASES])
        meant = f"the nearest is {close}; " if close else ""
        known = ", ".join(_RANGES)
        raise SettingsError(
            f"{name!r} is not an axis; {meant}choose from {known}, or a direction such as sefa:3=-3..3"
        )
    return Axis(name=name, ends=parse_range(ends) if equals else None)


def render_plane(
    config: RenderConfig,
    plane: PlaneConfig,
    seeds: Sequence[int] | None,
    output: Path,
    *,
    force: bool = False,
    command: str | None = None,
) -> Rendered:
    """Write a plane as a sheet.

    Args:
        config: how pictures are drawn.
        plane: its axes, and how they are sampled.
        seeds: top left, and one more for each axis of seeds; None for 0, 1, 2.
        output: a PNG, JPEG or WebP.
        force: write over the file.
        command: the command line, for the provenance.

    Raises:
        SettingsError: not as many seeds as the axes want, or settings that do not suit the network.
        RenderError: the output cannot be written.
        StyleganError: a network cannot be read.
    """
    check_picture_output(output, force)
    with about(f"--x {plane.x}"):
        x = parse_axis(plane.x)
    with about(f"--y {plane.y}"):
        y = parse_axis(plane.y)
    seeds = _checked_seeds(x, y, seeds)
    stage = _Stage.of(config, (x, y))
    columns, rows = plane.grid
    check_sheet(output, config, stage.G, columns, rows)
    moments = [at for at, _ in stage.snapshots]
    across, down = x.values(columns, plane.extent, moments), y.values(rows, plane.extent, moments)
    cells = [
        _cell(x, y, row, column, across[column], down[row])
        for row in range(rows)
        for column in range(columns)
    ]
    drawn_with = [str(path) for _, path in stage.snapshots]
    note = describe("plane", config, stage.G, command, others=drawn_with, seeds=list(seeds), plane=plane)
    surface = _laid_out(counted(stage.drawn(cells, seeds), len(cells)), columns, rows)
    save_picture(output, surface, note, replace=force)
    return one_picture(output, surface)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """The network, and what of its weights the axes move."""

    G: Generator
    config: RenderConfig
    """As `G` was opened: without what an axis moves."""
    snapshots: Sequence[tuple[float, Path]]
    training: TrainingTime | None
    dial: Dial | None
    """Turned as far as `--dial` says, where no axis turns it."""

    @classmethod
    def of(cls, config: RenderConfig, axes: tuple[Axis, Axis]) -> "_Stage":
        """Open the network for two axes.

        Raises:
            SettingsError, StyleganError: as `render_plane`.
        """
        names = [axis.name for axis in axes]
        _refuse_unsuited(config, names)
        snapshots = run_snapshots(config.network) if "kimg" in names else []
        for axis in axes:
            if axis.name == "kimg" and axis.ends is not None:
                check_moments(config.network, snapshots, axis.ends)
        moves_weights = "kimg" in names or "dial" in names
        look = replace(config, dial_from=None, dial="1") if moves_weights else config
        G = render.open_generator(look)
        for axis in axes:
            if axis.is_direction:
                with about(axis.name):
                    vector_of(G, parse_direction(axis.name), config.class_index)
        return cls(
            G=G,
            config=look,
            snapshots=snapshots,
            training=TrainingTime(snapshots, Constant(0.0), config.weights) if snapshots else None,
            dial=open_own_dial(config, G) if moves_weights else None,
        )

    def drawn(self, cells: Sequence[_Cell], seeds: Sequence[int]) -> Iterator[tuple[_Cell, Pixels]]:
        """Every cell with its picture, those that ask for the same weights one after another."""
        groups: dict[tuple[float, float, tuple[str, ...]], list[_Cell]] = {}
        for cell in cells:
            groups.setdefault(cell.weights, []).append(cell)
        for group in groups.values():
            with self._weights(group[0]):
                yield from zip(group, self._pictures(group, seeds), strict=True)

    @contextlib.contextmanager
    def _weights(self, cell: _Cell) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            if self.training is not None and cell.kimg is not None:
                stack.enter_context(self.training.holding(self.G, cell.kimg))
            if self.dial is not None:
                amount = self.dial.amount if cell.dial is None else Amount(overall=Constant(cell.dial))
                stack.enter_context(replace(self.dial, amount=amount).during(self.G, Moment()))
            yield

    def _pictures(self, cells: Sequence[_Cell], seeds: Sequence[int]) -> Iterator[Pixels]:
        config = replace(self.config, direction=(*self.config.direction, *cells[0].directions))
        plays = render.open_plays(config, self.G)
        ws = self._ws(cells, seeds)
        # One noise for all: the plane shows what its axes do, not the noise.
        same_noise = [seeds[0]] * len(ws)
        drawn = render.frames(
            self.G, ws, noise_mode=config.noise_mode, noise_seeds=same_noise, batch=config.batch, plays=plays
        )
        return (enlarge(picture, config.scale, config.scale_filter) for picture in drawn)

    def _ws(self, cells: Sequence[_Cell], seeds: Sequence[int]) -> Tensor:
        corners = latents.ws_from_seeds(self.G, self.config, seeds)  # truncation commutes with the plane
        corners = corners[[0, min(1, len(corners) - 1), -1]]
        across = torch.tensor([cell.across for cell in cells]).to(corners)[:, None, None]
        down = torch.tensor([cell.down for cell in cells]).to(corners)[:, None, None]
        ws = latents.on_plane(corners, across, down)
        if cells[0].trunc is None:
            return ws
        cutoff = self.config.trunc_cutoff
        parts = [
            latents.truncate(self.G, ws[i : i + 1], cell.trunc or 0.0, cutoff) for i, cell in enumerate(cells)
        ]
        return torch.cat(parts)


def _laid_out(drawn: Iterable[tuple[_Cell, Pixels]], columns: int, rows: int) -> Pixels:
    """The sheet of cells that come in any order, uint8 `[rows * H, columns * W, 3]`."""
    surface: Pixels | None = None
    for cell, picture in drawn:
        height, width = picture.shape[:2]
        if surface is None:
            surface = np.zeros([rows * height, columns * width, 3], np.uint8)
        top, left = cell.row * height, cell.column * width
        surface[top : top + height, left : left + width] = picture
    assert surface is not None
    return surface


def _refuse_unsuited(config: RenderConfig, names: Sequence[str]) -> None:
    if "dial" in names and config.dial_from is None:
        raise SettingsError("an axis of the dial has no base to turn from; name it with --dial-from")
    for name, usual in (("kimg", None), ("dial", "1"), ("trunc", 1.0)):
        value = getattr(config, name)
        if name in names and value != usual:
            neutral = f", or give --{name} {usual} where a config file sets it" if usual else ""
            raise SettingsError(f"--{name} {value}: an axis sets it; leave it out{neutral}")
    if "dial" in names and config.kimg is not None and parse(config.kimg).varies:
        raise SettingsError(f"--kimg {config.kimg} varies over time; give the one moment that the dial turns")


def _is_direction(name: str) -> bool:
    if not name:
        return False
    direction = parse_direction(name)
    return direction.source in BASES or bool(direction.files)


def _checked_seeds(x: Axis, y: Axis, seeds: Sequence[int] | None) -> Sequence[int]:
    if x.name == y.name and x.name != "seeds":
        raise SettingsError(f"both axes are {x.name}; choose another for one of them")
    wanted = 1 + [x.name, y.name].count("seeds")
    if seeds is None:
        return tuple(range(wanted))
    if len(seeds) != wanted:
        number, noun = ("one", "two", "three")[wanted - 1], "latent" if wanted == 1 else "latents"
        raise SettingsError(
            f"this plane goes through {number} {noun}; --seeds names {len(seeds)}, give {number}"
        )
    return seeds


def _cell(x: Axis, y: Axis, row: int, column: int, at_x: float, at_y: float) -> _Cell:
    named = {x.name: at_x, y.name: at_y}
    shifts = [(axis.name, at) for axis, at in ((x, at_x), (y, at_y)) if axis.is_direction]
    return _Cell(
        row=row,
        column=column,
        across=at_x if x.name == "seeds" else 0.0,
        down=at_y if y.name == "seeds" else 0.0,
        kimg=named.get("kimg"),
        dial=named.get("dial"),
        trunc=named.get("trunc"),
        directions=tuple(f"{name}*{at:.9g}" for name, at in shifts),
    )
