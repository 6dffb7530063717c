"""Stills of seeds: a folder of pictures, or a sheet of them.

Each function does a whole job: it checks the output before any work, opens the network, draws with a progress bar, and
writes the pictures with their provenance. A folder can be resumed; a sheet is one file, written whole or not at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bend import grid as sheets
from bend import latents, render
from bend.config import RenderConfig
from bend.errors import RenderError, SettingsError
from bend.picture import (
    Pixels,
    Rendered,
    check_picture_output,
    enlarge,
    is_picture,
    missing,
    one_picture,
    save_picture,
)
from bend.progress import counted, picture_bar
from bend.ranks import is_first
from bend.readiness import prepare_drawing
from bend.render import chunks, fitting_batch
from bend.shares import own_share, refuse_other_work, refuse_unshared
from bend.sizes import check_sheet
from bend.work import describe
from stylegan.distributed import join
from stylegan.generator import Generator

__all__ = ["picture_name", "render_grid", "render_images"]


def picture_name(seed: int | str) -> str:
    """What the picture of a seed is called in a folder of images."""
    return f"seed{seed:0>4}.png"


def render_images(
    config: RenderConfig,
    seeds: Sequence[int] | None,
    folder: Path,
    *,
    force: bool = False,
    command: str | None = None,
) -> Rendered:
    """Write a PNG for each seed, `seed0000.png`, into a folder; pictures that are there already are kept.

    Args:
        config: how pictures are drawn.
        seeds: None for 0 to 7, or every latent of `config.latents`.
        folder: created if need be.
        force: write over pictures of other work.
        command: the command line, for the provenance.

    Raises:
        RenderError: a picture of other work is in the way, or `folder` is a file.
        SettingsError, StyleganError: the network or its settings.
    """
    if (is_first() and folder.is_file()) or is_picture(folder):
        raise RenderError(f"{folder} is not a folder; images go to a folder, one PNG per seed")
    seeds = list(dict.fromkeys(latents.usual_seeds(config, 8) if seeds is None else seeds))
    G = render.open_generator(config)
    prepare_drawing(G, len(seeds))
    work = describe("images", config, G, command)
    paths = {seed: folder / picture_name(seed) for seed in seeds}
    notes = {seed: work.about(seed=seed) for seed in seeds}
    with join() as team:
        refuse_other_work(work, team)
        wanted = {paths[seed]: (seed, notes[seed]) for seed in seeds}
        todo = team.first_says(missing(wanted, force) if team.is_first else [])
        if todo:
            refuse_unshared(folder, team)
        with picture_bar(len(seeds), len(seeds) - len(todo)) as bar:
            for seed, picture in _of_seeds(G, config, seeds, own_share(todo, team)):
                save_picture(paths[seed], picture, notes[seed], replace=force)
                bar.update(team.size)
        team.wait()
    width, height = config.size or (G.img_resolution, G.img_resolution)
    size = (width * config.scale, height * config.scale)
    return Rendered(output=folder, num_pictures=len(seeds), num_drawn=len(todo), size=size)


def render_grid(
    config: RenderConfig,
    seeds: Sequence[int] | None,
    grid: tuple[int, int] | None,
    output: Path,
    *,
    force: bool = False,
    command: str | None = None,
) -> Rendered:
    """Write a sheet of seeds.

    Args:
        config: how pictures are drawn.
        seeds: None for 0, 1, 2, … as many as the grid holds.
        grid: columns and rows; None for the squarest.
        output: a PNG, JPEG or WebP.
        force: write over the file.
        command: the command line, for the provenance.

    Raises:
        SettingsError: grid and seeds do not match, or do not suit the network.
        RenderError: the output cannot be written.
        StyleganError: the network cannot be read.
    """
    check_picture_output(output, force)
    if grid is not None and seeds is not None and grid[0] * grid[1] != len(seeds):
        raise SettingsError(
            f"--grid {grid[0]}x{grid[1]} holds {grid[0] * grid[1]} pictures, --seeds names {len(seeds)}; "
            "leave one of them out, or make them agree"
        )
    if seeds is None:
        seeds = latents.usual_seeds(config, 16, grid)
    columns, rows = grid or sheets.square(len(seeds))
    G = render.open_generator(config)
    check_sheet(output, config, G, columns, rows)
    note = describe("grid", config, G, command, seeds=list(seeds), grid=[columns, rows])
    drawn = (picture for _, picture in _of_seeds(G, config, seeds, seeds))
    surface = sheets.sheet(counted(drawn, len(seeds)), columns, rows)
    save_picture(output, surface, note, replace=force)
    return one_picture(output, surface)


def _of_seeds(
    G: Generator, config: RenderConfig, seeds: Iterable[int], todo: Iterable[int]
) -> Iterator[tuple[int, Pixels]]:
    """The pictures of the seeds in `todo`, in the same batches whatever is in it, so that they have the same bytes."""
    wanted = frozenset(todo)
    batch = config.batch or fitting_batch(G)
    plays = render.open_plays(config, G)
    for chunk in chunks(seeds, batch):
        if wanted.isdisjoint(chunk):
            continue
        ws = latents.ws_from_seeds(G, config, chunk)
        pictures = render.frames(
            G, ws, noise_mode=config.noise_mode, noise_seeds=chunk, batch=batch, plays=plays
        )
        for seed, picture in zip(chunk, pictures, strict=True):
            if seed in wanted:
                yield seed, enlarge(picture, config.scale, config.scale_filter)
