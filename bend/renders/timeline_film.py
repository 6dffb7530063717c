"""The film of a run: each face morphing through training time, from the base to the last snapshot.

Between two snapshots the weights are interpolated (`bend.dial.training_time`). Unless `--kimg` says otherwise, it takes
equally long from each snapshot to the next; with log-spaced ones that is log time, in which training looks even.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bend import latents, render
from bend.automation import parse
from bend.config import FilmConfig, RenderConfig
from bend.dial.training_time import even_pace, run_snapshots
from bend.errors import SettingsError
from bend.film.destination import Frames, check_output, write_film
from bend.film.video import check_frame
from bend.grid import square
from bend.picture import Pixels, Rendered
from bend.renders.moving import moving_frames
from bend.sizes import sheet_sides
from bend.work import describe

__all__ = ["render_timeline_film"]


def render_timeline_film(
    config: RenderConfig,
    film: FilmConfig,
    seeds: Sequence[int] | None,
    output: Path,
    *,
    both: bool = False,
    loop: bool = False,
    grid: tuple[int, int] | None = None,
    force: bool = False,
    command: str | None = None,
) -> Rendered:
    """Film the seeds through the training of a run.

    Args:
        config: how pictures are drawn; `network` is a run folder, `kimg` may say when what is shown.
        film: how long, how fast, how well.
        seeds: None for as many as the grid holds; without one 0 to 5, or every latent of `config.latents`.
        output: a film file or a folder, see `bend.film.destination`.
        both: the raw generator beside its average.
        loop: there and back again.
        grid: columns and rows of the seeds; None for the squarest.
        force: write over what is there.
        command: the command line, for the provenance.

    Raises:
        SettingsError: no run folder, or settings that do not suit it.
        RenderError: the output cannot be written.
        StyleganError: a snapshot cannot be read.
    """
    check_output(output, force)
    seeds = latents.usual_seeds(config, 6, grid) if seeds is None else seeds
    if not seeds:
        raise SettingsError("a film needs seeds; give at least one")
    if loop and config.kimg is not None:
        raise SettingsError(
            f"--loop and --kimg {config.kimg} both say which moment is shown; leave one of them out"
        )
    snapshots = run_snapshots(config.network)
    if config.kimg is None:
        kimg = even_pace([at for at, _ in snapshots], _last_second(film, loop), loop=loop)
    else:
        kimg = parse(config.kimg)
    config = replace(config, kimg=str(kimg))
    sides: list[Frames] = []
    for weights in ("raw", "ema") if both else (config.weights,):
        look = replace(config, weights=weights)
        G = render.open_generator(look)
        columns, rows = grid or square(len(seeds))
        check_frame(output, *sheet_sides(config, G, columns * (2 if both else 1), rows))
        sides.append(
            moving_frames(G, look, seeds, num_frames=film.num_frames, fps=film.fps, grid=grid, closed=loop)
        )
    note = describe("timeline-film", config, G, command, seeds=list(seeds), film=film, both=both)
    return write_film(output, _beside(sides), config=film, provenance=note, force=force)


def _last_second(film: FilmConfig, loop: bool) -> float:
    """When training time ends: at the last frame or, in a loop, one frame later, where the film begins again."""
    return max(film.num_frames - (0 if loop else 1), 1) / film.fps


def _beside(sides: Sequence[Frames]) -> Frames:
    def frames(wanted: Container[int]) -> Iterator[tuple[int, Pixels]]:
        for together in zip(*(side(wanted) for side in sides), strict=True):
            yield together[0][0], np.concatenate([picture for _, picture in together], axis=1)

    return frames
