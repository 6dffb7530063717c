"""Films in which the seeds stay the same and the network changes: by its training, or by the dial.

For every frame the weights are set first and the latents mapped with them, so that a frame is exactly what the network
of that moment draws. Bends, directions and truncation that vary over time are applied as well. A walk through latent
space while the network changes is `bend.renders.latent_walk` with `--kimg` or `--dial`.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import replace

from bend import latents, render
from bend.config import RenderConfig
from bend.dial.weight_plays import open_weight_plays
from bend.errors import SettingsError
from bend.film.destination import Frames
from bend.grid import sheet, square
from bend.picture import Pixels, enlarge
from bend.play import Moment, Play, frames_to_draw, playing, run_up
from bend.readiness import prepare_drawing
from stylegan.generator import Generator

__all__ = ["draw_seeds", "moving_frames", "plays_apart"]


def moving_frames(
    G: Generator,
    config: RenderConfig,
    seeds: Sequence[int],
    *,
    num_frames: int,
    fps: float,
    grid: tuple[int, int] | None = None,
    under: Sequence[Play] = (),
    closed: bool = False,
) -> Frames:
    """The frames of a film for `bend.film.destination.write_film`.

    Args:
        G: the network that changes.
        config: how pictures are drawn.
        seeds: one picture each, side by side; a seed may occur several times.
        num_frames: of the whole film.
        fps: frames a second.
        grid: columns and rows; None for the squarest.
        under: what else moves the weights, after the training time and the dial of `config`.
        closed: whether the film is a loop.

    Raises:
        SettingsError: the grid does not hold the seeds.
    """
    columns, rows = grid or square(len(seeds))  # places that stay empty are black
    if grid is not None and columns * rows != len(seeds):
        raise SettingsError(
            f"--grid {columns}x{rows} holds {columns * rows} pictures, --seeds names {len(seeds)}; make them agree"
        )
    prepare_drawing(G, num_frames * len(seeds))
    movers, others = plays_apart(config, G)

    def frames(wanted: Container[int]) -> Iterator[tuple[int, Pixels]]:
        before = run_up(others, num_frames, fps, closed=closed)
        for index in frames_to_draw(others, num_frames, wanted, before):
            moment = Moment.of_frame(index, num_frames, fps, before)
            with playing(G, [*movers, *under], moment):
                pictures = draw_seeds(G, config, seeds, moment, others)
            if index >= 0:
                yield index, sheet(pictures, columns, rows)

    return frames


def plays_apart(config: RenderConfig, G: Generator) -> tuple[Sequence[Play], Sequence[Play]]:
    """What `config` asks to be done to `G` while it draws: first what sets its weights, then the rest.

    Raises:
        SettingsError: it asks for what `G` does not have.
        StyleganError: a network cannot be read.
    """
    rest = replace(config, kimg=None, dial_from=None, dial="1")
    return open_weight_plays(config, G), render.open_plays(rest, G)


def draw_seeds(
    G: Generator, config: RenderConfig, seeds: Sequence[int], moment: Moment, plays: Sequence[Play] = ()
) -> list[Pixels]:
    """The pictures of the seeds by `G` as it is, uint8 `[H, W, 3]` each; the seed also seeds the noise."""
    batch = config.batch or render.fitting_batch(G)
    drawn: list[Pixels] = []
    moments = [replace(moment, seed=seed, place=place) for place, seed in enumerate(seeds)]
    for chunk in render.chunks(moments, batch):
        ws = latents.ws_from_seeds(G, config, [one.seed for one in chunk])
        drawn += list(render.draw(G, ws, noise_mode=config.noise_mode, plays=plays, moments=chunk))
    return [enlarge(picture, config.scale, config.scale_filter) for picture in drawn]
