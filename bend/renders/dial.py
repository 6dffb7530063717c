"""Renders the dial: from the base to the bent network and beyond, as a sheet of amounts or a film.

Amounts beyond 0 to 1 extrapolate the weights along the same line. The maths is in `bend.dial.mixing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bend import latents, render
from bend.automation import Automation, Constant, Keyframes, parse_range
from bend.config import FilmConfig, RenderConfig
from bend.dial.amount import Amount, parse_amount, parse_logistic
from bend.dial.play import Dial, open_dial
from bend.errors import SettingsError, about
from bend.film.destination import check_output, write_film
from bend.film.video import check_frame
from bend.grid import sheet, square
from bend.labelled import labelled_sheet
from bend.picture import Rendered, check_picture_output, one_picture, save_picture
from bend.play import Moment, playing
from bend.renders.moving import draw_seeds, moving_frames, plays_apart
from bend.sizes import check_sheet, sheet_sides
from bend.work import describe
from stylegan.generator import Generator

__all__ = ["DialConfig", "render_dial_film", "render_dial_sheet"]

_MOST_STEPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DialConfig:
    """The networks at the ends of the dial, and how far it is turned.

    Attributes:
        base: the network at 0; the one at 1 is `RenderConfig.network`.
        others: further bent networks, mixed with the first.
        shares: of the bent networks, the first one's first; equal ones if None.
        amount: a range `-0.5..1.5`, or an amount in the grammar of `bend.dial.amount`.
        swap: the resolution from which on the bent network draws; None for no swap.
        logistic: `RESOLUTION:OCTAVES` of a logistic blend instead; None for none.
        steps: columns of a range's sheet.
    """

    base: str
    others: tuple[str, ...] = ()
    shares: tuple[float, ...] | None = None
    amount: str = "-0.5..1.5"
    swap: int | None = None
    logistic: str | None = None
    steps: int = 9

    def __post_init__(self) -> None:
        num = 1 + len(self.others)
        if self.shares is not None and len(self.shares) != num:
            raise SettingsError(
                f"--mix names {len(self.shares)} shares for {num} networks; give one for each --to"
            )
        if not 2 <= self.steps <= _MOST_STEPS:
            raise SettingsError(f"--steps {self.steps} is out of range; give 2 to {_MOST_STEPS}")
        self.turned(Constant(0.0))

    @property
    def range(self) -> tuple[float, float] | None:
        """The ends of the amount if it is a range, else None."""
        is_range = ".." in self.amount and "(" not in self.amount and "=" not in self.amount
        with about(f"--amount {self.amount}"):
            return parse_range(self.amount) if is_range else None

    @property
    def networks(self) -> tuple[str, ...]:
        """All networks but the first bent one."""
        return (self.base, *self.others)

    def turned(self, sweep: Automation) -> Amount:
        """The amount; `sweep` if it is a range."""
        logistic = None if self.logistic is None else parse_logistic(self.logistic)
        if self.range is not None:
            return Amount(overall=sweep, swap=self.swap, logistic=logistic)
        with about(f"--amount {self.amount}"):
            amount = parse_amount(self.amount)
        return replace(amount, swap=self.swap, logistic=logistic)


def render_dial_sheet(
    config: RenderConfig,
    dial: DialConfig,
    seeds: Sequence[int] | None,
    output: Path,
    *,
    force: bool = False,
    command: str | None = None,
) -> Rendered:
    """Write the dial as a sheet: seeds down and amounts across for a range, a grid of seeds for one amount.

    Args:
        config: how pictures are drawn; `network` is the first bent network.
        dial: its ends and amounts.
        seeds: None for 0 to 5, or every latent of `config.latents`.
        output: a PNG, JPEG or WebP.
        force: write over the file.
        command: the command line, for the provenance.

    Raises:
        SettingsError: networks that cannot be mixed, an amount that varies over time, or no seeds.
        RenderError: the output cannot be written.
        StyleganError: a network cannot be read.
    """
    check_picture_output(output, force)
    seeds = _seeds(config, seeds)
    ends = dial.range
    amounts = [None] if ends is None else [float(at) for at in np.linspace(*ends, dial.steps)]
    if dial.turned(Constant(0.0)).varies:
        raise SettingsError(
            f"--amount {dial.amount} varies over time; write a film, or give a range -0.5..1.5"
        )
    G = render.open_generator(config)
    columns, rows = square(len(seeds)) if ends is None else (dial.steps, len(seeds))
    check_sheet(output, config, G, columns, rows)
    note = describe("dial", config, G, command, others=dial.networks, seeds=list(seeds), dial=dial)
    opened = _open(G, config, dial, Constant(0.0))
    movers, others = plays_apart(config, G)
    drawn = []
    for amount in amounts:
        turned = opened if amount is None else _turned(opened, dial, Constant(amount))
        with playing(G, [*movers, turned], Moment()):
            drawn.append(draw_seeds(G, config, seeds, Moment(), others))
    if ends is None:
        surface = sheet(drawn[0], columns, rows)
    else:
        surface = labelled_sheet([f"{amount:.3g}" for amount in amounts if amount is not None], drawn)
    save_picture(output, surface, note, replace=force)
    return one_picture(output, surface)


def render_dial_film(
    config: RenderConfig,
    dial: DialConfig,
    film: FilmConfig,
    seeds: Sequence[int] | None,
    output: Path,
    *,
    loop: bool = False,
    grid: tuple[int, int] | None = None,
    force: bool = False,
    command: str | None = None,
) -> Rendered:
    """Film the dial being turned: through a range from end to end, or as the amount says over time.

    Args:
        config: how pictures are drawn; `network` is the first bent network.
        dial: its ends and amounts.
        film: how long, how fast, how well.
        seeds: None for as many as the grid holds; without one 0 to 5, or every latent of `config.latents`.
        output: a film file or a folder, see `bend.film.destination`.
        loop: a range there and back again.
        grid: columns and rows of the seeds; None for the squarest.
        force: write over what is there.
        command: the command line, for the provenance.

    Raises:
        SettingsError: networks that cannot be mixed, or no seeds.
        RenderError: the output cannot be written.
        StyleganError: a network cannot be read.
    """
    check_output(output, force)
    if loop and dial.range is None:
        raise SettingsError(f"--loop: --amount {dial.amount} is not a range; leave it out, or give -0.5..1.5")
    seeds = _seeds(config, seeds, grid)
    G = render.open_generator(config)
    check_frame(output, *sheet_sides(config, G, *(grid or square(len(seeds)))))
    opened = _open(G, config, dial, _sweep(dial, film, loop))
    frames = moving_frames(
        G, config, seeds, num_frames=film.num_frames, fps=film.fps, grid=grid, under=[opened], closed=loop
    )
    details = {"seeds": list(seeds), "film": film, "dial": dial, "loop": loop}
    note = describe("dial-film", config, G, command, others=dial.networks, **details)
    return write_film(output, frames, config=film, provenance=note, force=force)


def _open(G: Generator, config: RenderConfig, dial: DialConfig, sweep: Automation) -> Dial:
    return open_dial(
        G,
        dial.base,
        dial.turned(sweep),
        network=config.network,
        weights=config.weights,
        others=dial.others,
        shares=dial.shares,
    )


def _turned(opened: Dial, dial: DialConfig, sweep: Automation) -> Dial:
    return Dial(base=opened.base, others=opened.others, shares=opened.shares, amount=dial.turned(sweep))


def _sweep(dial: DialConfig, film: FilmConfig, loop: bool) -> Automation:
    if dial.range is None:
        return Constant(0.0)
    low, high = dial.range
    frames = film.num_frames
    if loop:
        return Keyframes((0.0, frames / 2 / film.fps, frames / film.fps), (low, high, low))
    return Keyframes((0.0, max(frames - 1, 1) / film.fps), (low, high))


def _seeds(
    config: RenderConfig, seeds: Sequence[int] | None, grid: tuple[int, int] | None = None
) -> Sequence[int]:
    if seeds is None:
        return latents.usual_seeds(config, 6, grid)
    if not seeds:
        raise SettingsError("a dial needs seeds; give at least one")
    return seeds
