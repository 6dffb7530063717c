"""The truncation sweep: seeds from one psi to another, as a sheet (a column for each psi) or a film.

`w_avg + psi (w - w_avg)`: 0 is the average picture, 1 the seed's own, above 1 the seed exaggerated, below 0 its
opposite (Karras et al., arXiv 1812.04948, appendix B and figure 8).
"""

from collections.abc import Container, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bend import latents, render
from bend.config import FilmConfig, RenderConfig, TruncationConfig
from bend.errors import SettingsError
from bend.film import destination as films
from bend.film.video import check_frame
from bend.grid import sheet, square
from bend.picture import (
    Pixels,
    Rendered,
    check_picture_output,
    enlarge,
    is_picture,
    one_picture,
    save_picture,
)
from bend.play import Moment, Play, frames_to_draw, run_up
from bend.progress import counted
from bend.sizes import check_sheet, sheet_sides
from bend.work import describe
from stylegan.generator import Generator

__all__ = ["psi_at", "render_truncation"]


def render_truncation(
    config: RenderConfig,
    sweep: TruncationConfig,
    film: FilmConfig,
    seeds: Sequence[int] | None,
    output: Path,
    *,
    force: bool = False,
    command: str | None = None,
) -> Rendered:
    """Write the sweep: a sheet where `output` is a picture, else a film.

    Args:
        config: how pictures are drawn; its `trunc` must be left at 1.
        sweep: from which psi to which.
        film: how long, how fast and how well, if `output` is a film.
        seeds: rows of the sheet, or tiles of the film; None for 0 to 3, or every latent of `config.latents`.
        output: a picture, a film or a folder of frames.
        force: write over what is there.
        command: the command line, for the provenance.

    Raises:
        SettingsError: settings that contradict one another or the network.
        RenderError: the output cannot be written.
        StyleganError: the network cannot be read.
    """
    is_sheet = is_picture(output)
    if is_sheet:
        check_picture_output(output, force)
    else:
        films.check_output(output, force)
    if config.trunc != 1:
        raise SettingsError(f"--trunc {config.trunc}: the sweep sets psi itself; use --from and --to")
    seeds = latents.usual_seeds(config, 4) if seeds is None else seeds
    G = render.open_generator(config)
    if is_sheet:
        check_sheet(output, config, G, sweep.steps, len(seeds))
    else:
        check_frame(output, *sheet_sides(config, G, *square(len(seeds))))
    timing = None if is_sheet else film
    note = describe("truncation", config, G, command, seeds=list(seeds), sweep=sweep, film=timing)
    ws = latents.ws_from_seeds(G, config, seeds)
    if not is_sheet:
        frames = partial(_frames, G, config, sweep, film, ws)
        return films.write_film(output, frames, config=film, provenance=note, force=force)
    surface = _sheet(G, config, sweep, seeds, ws)
    save_picture(output, surface, note, replace=force)
    return one_picture(output, surface)


def psi_at(sweep: TruncationConfig, index: int, num_frames: int) -> float:
    """Psi in frame `index` of a film: straight there, or in a loop there and back, so that the film can repeat."""
    there, back = index / max(num_frames - 1, 1), 1 - abs(2 * index / num_frames - 1)
    share = back if sweep.loop else there
    return sweep.psi_from + (sweep.psi_to - sweep.psi_from) * share


def _sheet(
    G: Generator, config: RenderConfig, sweep: TruncationConfig, seeds: Sequence[int], ws: Tensor
) -> Pixels:
    """A row for each seed, a column for each psi."""
    psis = np.linspace(sweep.psi_from, sweep.psi_to, sweep.steps)
    swept = torch.stack([latents.truncate(G, ws, psi, config.trunc_cutoff) for psi in psis], dim=1)
    pictures = render.frames(
        G,
        swept.flatten(0, 1),
        noise_mode=config.noise_mode,
        noise_seeds=[seed for seed in seeds for _ in psis],
        batch=config.batch,
        plays=render.open_plays(config, G),
    )
    enlarged = (enlarge(picture, config.scale, config.scale_filter) for picture in pictures)
    return sheet(counted(enlarged, len(seeds) * len(psis)), sweep.steps, len(seeds))


def _frames(
    G: Generator,
    config: RenderConfig,
    sweep: TruncationConfig,
    film: FilmConfig,
    ws: Tensor,
    wanted: Container[int],
) -> Iterator[tuple[int, Pixels]]:
    columns, rows = square(len(ws))
    plays: Sequence[Play] = render.open_plays(config, G)
    batch = config.batch or render.fitting_batch(G)
    before = run_up(plays, film.num_frames, film.fps, closed=sweep.loop)
    for index in frames_to_draw(plays, film.num_frames, wanted, before):
        psi = psi_at(sweep, index % film.num_frames, film.num_frames)
        frame = latents.truncate(G, ws, psi, config.trunc_cutoff)
        tiles: list[Pixels] = []
        for part in render.chunks(range(len(ws)), batch):
            moments = [
                Moment.of_frame(index, film.num_frames, film.fps, before, place, len(ws)) for place in part
            ]
            drawn = render.draw(G, frame[part], noise_mode=config.noise_mode, plays=plays, moments=moments)
            tiles += [enlarge(picture, config.scale, config.scale_filter) for picture in drawn]
        if index >= 0:
            yield index, sheet(tiles, columns, rows)
