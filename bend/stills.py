"""Stills from seeds: a folder of pictures, a sheet of them, or the plane through three latents.

Each function is a whole job: it checks the output before any work, opens the network, draws with a progress
bar, and writes with provenance. `images` can be taken up again; a sheet is one file, whole or absent.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from bend import grid as sheets
from bend import latents, render
from bend.config import PlaneConfig, RenderConfig
from bend.errors import RenderError, SettingsError
from bend.picture import (
    PICTURE_SUFFIXES,
    Pixels,
    Rendered,
    check_picture_output,
    enlarge,
    missing,
    one_picture,
    save_picture,
)
from bend.provenance import describe
from bend.render import chunks, fitting_batch
from stylegan.generator import Generator

__all__ = ["render_grid", "render_images", "render_plane"]


def render_images(
    config: RenderConfig,
    seeds: Sequence[int] | None,
    folder: Path,
    *,
    force: bool = False,
    command: str | None = None,
) -> Rendered:
    """Write a PNG a seed, `seed0000.png`, into a folder; pictures that are there already stay.

    Args:
        config: how pictures are drawn.
        seeds: None for 0 to 7.
        folder: created if need be.
        force: write over pictures of other work.
        command: the command line, for the provenance.

    Raises:
        RenderError: a picture of other work is in the way, or `folder` is a file.
        SettingsError, StyleganError: the network or its settings.
    """
    if folder.is_file() or folder.suffix.lower() in PICTURE_SUFFIXES:
        raise RenderError(f"{folder} is no folder; images go to a folder, one PNG a seed")
    seeds = list(dict.fromkeys(range(8) if seeds is None else seeds))
    G = render.open_generator(config)
    work = describe("images", config, G, command)
    paths = {seed: folder / f"seed{seed:04d}.png" for seed in seeds}
    notes = {seed: work.about(seed=seed) for seed in seeds}
    todo = set(missing({paths[seed]: (seed, notes[seed]) for seed in seeds}, force))
    with _progress(len(seeds), len(seeds) - len(todo)) as bar:
        for seed, picture in _of_seeds(G, config, seeds, todo):
            save_picture(paths[seed], picture, notes[seed])
            bar.update()
    side = G.img_resolution * config.scale
    return Rendered(output=folder, num_pictures=len(seeds), num_drawn=len(todo), size=(side, side))


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
        seeds = range(16 if grid is None else grid[0] * grid[1])
    columns, rows = grid or sheets.square(len(seeds))
    G = render.open_generator(config)
    note = describe("grid", config, G, command, seeds=list(seeds), grid=[columns, rows])
    drawn = (picture for _, picture in _of_seeds(G, config, seeds, seeds))
    surface = sheets.sheet(_counted(drawn, len(seeds)), columns, rows)
    save_picture(output, surface, note)
    return one_picture(output, surface)


def render_plane(
    config: RenderConfig,
    plane: PlaneConfig,
    seeds: Sequence[int] | None,
    output: Path,
    *,
    force: bool = False,
    command: str | None = None,
) -> Rendered:
    """Write the map of latent space: the plane in w through three seeds, as a sheet.

    Args:
        config: how pictures are drawn.
        plane: how the plane is sampled.
        seeds: top left, top right, bottom left; None for 0, 1, 2.
        output: a PNG, JPEG or WebP.
        force: write over the file.
        command: the command line, for the provenance.

    Raises:
        SettingsError: not three seeds, or settings that do not suit the network.
        RenderError: the output cannot be written.
        StyleganError: the network cannot be read.
    """
    check_picture_output(output, force)
    seeds = (0, 1, 2) if seeds is None else seeds
    if len(seeds) != 3:
        raise SettingsError(f"a plane goes through three latents; --seeds names {len(seeds)}, give three")
    columns, rows = plane.grid
    G = render.open_generator(config)
    note = describe("plane", config, G, command, seeds=list(seeds), plane=plane)
    corners = latents.w_from_z(G, latents.z_from_seeds(seeds, G.z_dim), config.class_index)
    points = latents.plane(corners, columns, rows, plane.extent)
    ws = latents.ws_from_w(G, points, config.trunc, config.trunc_cutoff)
    # One noise for all: the map shows what the latent does, not the noise.
    same_noise = [seeds[0]] * len(ws)
    plays = render.open_plays(config, G)
    drawn = render.frames(
        G, ws, noise_mode=config.noise_mode, noise_seeds=same_noise, batch=config.batch, plays=plays
    )
    enlarged = (enlarge(picture, config.scale, config.scale_filter) for picture in drawn)
    surface = sheets.sheet(_counted(enlarged, len(ws)), columns, rows)
    save_picture(output, surface, note)
    return one_picture(output, surface)


def _of_seeds(
    G: Generator, config: RenderConfig, seeds: Iterable[int], todo: Iterable[int]
) -> Iterator[tuple[int, Pixels]]:
    """The pictures of the seeds in `todo`, in batches cut at the same places whatever is in it."""
    wanted = frozenset(todo)
    batch = config.batch or fitting_batch(G)
    plays = render.open_plays(config, G)
    for chunk in chunks(seeds, batch):
        if wanted.isdisjoint(chunk):
            continue
        pictures = render.images(
            G,
            chunk,
            truncation_psi=config.trunc,
            truncation_cutoff=config.trunc_cutoff,
            noise_mode=config.noise_mode,
            class_index=config.class_index,
            batch=batch,
            plays=plays,
        )
        for seed, picture in zip(chunk, pictures, strict=True):
            if seed in wanted:
                yield seed, enlarge(picture, config.scale, config.scale_filter)


def _counted(pictures: Iterable[Pixels], total: int) -> Iterator[Pixels]:
    with _progress(total, 0) as bar:
        for picture in pictures:
            yield picture
            bar.update()


def _progress(total: int, done: int) -> "tqdm[NoReturn]":
    return tqdm(total=total, initial=done, desc="rendering", unit="picture", disable=None)
