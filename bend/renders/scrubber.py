"""The scrubber: a page on which one drags through a run's training, by mouse, finger or keyboard.

One HTML file holds the page with all its pictures, and needs neither server nor network. Frames between two snapshots
are drawn with interpolated weights: they show a network, not a cross-fade of two pictures. Only neighbouring frames
are cross-faded. If the run has a score, its curves and moments are on the page. The template is `scrubber.html`; this
module draws the pictures.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from bend import latents, render
from bend.automation import Constant
from bend.config import RenderConfig
from bend.dial.training_time import TrainingTime, run_snapshots
from bend.errors import RenderError, SettingsError
from bend.grid import sheet, square
from bend.picture import PICTURE_SUFFIXES, Pixels, Rendered, data_url, encode_webp, refuse_existing
from bend.play import Moment
from bend.ranks import leave_to_first
from bend.renders.moving import draw_seeds
from bend.renders.timeline import pick_columns
from bend.score import read_card
from bend.sizes import sheet_sides
from bend.work import describe
from stylegan.atomic import write_atomic
from stylegan.generator import Generator

__all__ = ["render_scrubber"]

_BETWEEN = 4  # steps from one snapshot to the next
_LARGEST_CELL = 256  # pixels; larger pictures are shrunk, so that a browser can open the page
_QUALITY = 82
_SECONDS_A_STOP = 1.0


def render_scrubber(
    config: RenderConfig,
    seeds: Sequence[int] | None,
    output: Path,
    *,
    grid: tuple[int, int] | None = None,
    between: int = _BETWEEN,
    force: bool = False,
    command: str | None = None,
) -> Rendered:
    """Write the page.

    Args:
        config: how pictures are drawn; `network` is a run folder. The page has raw and averaged weights, those of
            `config.weights` first.
        seeds: the pictures; None for as many as the grid holds; without one 0 to 5, or every latent of
            `config.latents`.
        output: an `.html` file.
        grid: columns and rows of the seeds; None for the squarest.
        between: steps from one snapshot to the next, at least 1.
        force: write over the file.
        command: the command line, for the provenance.

    Raises:
        SettingsError: no run folder, or settings that do not suit it.
        RenderError: the output cannot be written.
        StyleganError: a snapshot cannot be read.
    """
    leave_to_first()
    _refuse_output(output, force)
    seeds = latents.usual_seeds(config, 6, grid) if seeds is None else seeds
    columns, rows = grid or square(len(seeds))
    _refuse_settings(config, seeds, (columns, rows))
    snapshots = pick_columns(run_snapshots(config.network))
    moments = _moments([at for at, _ in snapshots], between)
    kinds = [config.weights, *(kind for kind in ("raw", "ema") if kind != config.weights)]
    frames: dict[str, list[str]] = {}
    for kind in kinds:
        look = replace(config, weights=kind, network=str(snapshots[-1][1]))
        G = render.open_generator(look)
        _refuse_size(output, config, G, (columns, rows))
        sheets = list(_sheets(look, G, snapshots, moments, seeds, (columns, rows)))
        frames[kind] = [data_url(encode_webp(one, quality=_QUALITY)) for one in sheets]
    height, width = sheets[0].shape[:2]
    drawn_with = [str(path) for _, path in snapshots]
    note = describe("scrubber", config, G, command, others=drawn_with, seeds=list(seeds), kimg=moments)
    run = snapshots[0][1].parent
    card = read_card(run)
    page = _page(
        title=run.name,
        kimg=moments,
        stops=[index * between for index in range(len(snapshots))],
        seeds=list(seeds),
        columns=columns,
        rows=rows,
        width=width // columns,
        height=height // rows,
        kinds=kinds,
        frames=frames,
        seconds=_SECONDS_A_STOP * max(len(snapshots) - 1, 1),
        score=None if card is None else card.facts(),
        provenance=json.loads(note.to_json()),
    )
    write_atomic(output, page)
    num = len(moments) * len(kinds)
    return Rendered(output=output, num_pictures=num, num_drawn=num, size=(width, height))


def _refuse_output(output: Path, force: bool) -> None:
    if output.suffix.lower() != ".html":
        raise RenderError(f"{output}: a scrubber is an .html file")
    refuse_existing(output, force)


def _refuse_settings(config: RenderConfig, seeds: Sequence[int], grid: tuple[int, int]) -> None:
    columns, rows = grid
    if not seeds or columns * rows < len(seeds):
        raise SettingsError(
            f"a page of {columns}x{rows} pictures for {len(seeds)} seeds; make --grid and --seeds agree"
        )
    if config.kimg is not None:
        raise SettingsError("--kimg: the moment is chosen on the page; leave it out")
    if config.dial_from is not None:
        raise SettingsError("--dial-from: a page has no dial; write a sheet or a film, or leave it out")


def _refuse_size(output: Path, config: RenderConfig, G: Generator, grid: tuple[int, int]) -> None:
    width, height = _shrunk(*sheet_sides(config, G, 1, 1))
    width, height = grid[0] * width, grid[1] * height
    if max(width, height) > PICTURE_SUFFIXES[".webp"]:
        raise RenderError(f"{output}: {width}×{height} is too big for a page; ask for a smaller --grid")


def _moments(stops: Sequence[float], between: int) -> list[float]:
    """Every snapshot and the steps between them."""
    places = np.arange((len(stops) - 1) * between + 1) / between
    return [round(float(at), 6) for at in np.interp(places, np.arange(len(stops)), stops)]


def _sheets(
    config: RenderConfig,
    G: Generator,
    snapshots: Sequence[tuple[float, Path]],
    moments: Sequence[float],
    seeds: Sequence[int],
    grid: tuple[int, int],
) -> Iterator[Pixels]:
    training = TrainingTime(snapshots, Constant(0.0), config.weights)
    plays = render.open_plays(config, G)
    for kimg in tqdm(moments, desc=f"rendering {config.weights}", unit="frame", disable=None):
        training.set(G, kimg)
        pictures = draw_seeds(G, config, seeds, Moment(), plays)
        yield sheet([_small(picture) for picture in pictures], *grid)


def _small(picture: Pixels) -> Pixels:
    height, width = picture.shape[:2]
    size = _shrunk(width, height)
    if size == (width, height):
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _shrunk(width: int, height: int) -> tuple[int, int]:
    share = min(1.0, _LARGEST_CELL / max(height, width))
    return max(1, round(width * share)), max(1, round(height * share))


def _page(**data: Any) -> str:
    # No "<" may stand in the data: it could end the script element that holds it.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    template = resources.files("bend.renders").joinpath("scrubber.html").read_text(encoding="utf-8")
    return template.replace("{{data}}", text)
