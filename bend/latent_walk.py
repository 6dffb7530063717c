"""The latent walk: seeds as keyframes, a path through z or w, and the frames of a film along it.

In w a path runs about `w_avg`, its natural origin, and truncation follows it; in z each point is mapped on
its own. A grid film shows several walks side by side, each with its own share of the seeds. Paths are
`bend.walks`, pixels `bend.render`, and where frames go `bend.film`.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bend import latents
from bend.config import FilmConfig, RenderConfig, WalkConfig
from bend.errors import SettingsError
from bend.film import check_output, write_film
from bend.grid import sheet
from bend.picture import Pixels, Rendered, enlarge
from bend.play import Moment, Play
from bend.provenance import describe
from bend.render import chunks, draw, fitting_batch, open_generator, open_plays
from bend.walks import WALKS, Course, times
from bend.walks.course import Floats
from stylegan.generator import Generator

__all__ = ["render_latent_walk", "walk_frames", "walk_seeds", "walk_ws"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Strand:
    """One walk of a film: its keyframes `[K, dim]`, about the origin of the space, and its course."""

    keyframes: Floats
    course: Course


def render_latent_walk(
    config: RenderConfig,
    walk: WalkConfig,
    film: FilmConfig,
    seeds: Sequence[int] | None,
    output: Path,
    *,
    force: bool = False,
    command: str | None = None,
) -> Rendered:
    """Walk from seed to seed and write the film, or its frames.

    Args:
        config: how pictures are drawn.
        walk: how the path runs.
        film: how long, how fast, how well.
        seeds: keyframes, dealt in order to the walks of the grid; None for 0, 1, 2, …
        output: a film file or a folder, see `bend.film`.
        force: write over what is there.
        command: the command line, for the provenance.

    Raises:
        SettingsError: seeds, grid and path do not match, or do not suit the network.
        RenderError: the output cannot be written.
        StyleganError: the network cannot be read.
    """
    check_output(output, force)
    dealt = walk_seeds(walk, seeds)
    G = open_generator(config)
    provenance = describe(
        "latent-walk", config, G, command, seeds=[s for own in dealt for s in own], walk=walk, film=film
    )
    num_frames = film.num_frames

    def frames(wanted: Container[int]) -> Iterator[tuple[int, Pixels]]:
        return walk_frames(G, config, walk, dealt, num_frames=num_frames, wanted=wanted, fps=film.fps)

    return write_film(output, frames, config=film, provenance=provenance, force=force)


def walk_seeds(walk: WalkConfig, seeds: Sequence[int] | None) -> list[tuple[int, ...]]:
    """Deal the seeds to the walks of the grid, in order and in equal shares.

    Raises:
        SettingsError: they cannot be shared out equally, or a share does not suit the path.
    """
    columns, rows = walk.grid
    path = WALKS[walk.path]
    num_walks = columns * rows
    if seeds is None:
        seeds = range(num_walks * path.usual)
    share, left = divmod(len(seeds), num_walks)
    if left or not share:
        raise SettingsError(
            f"--grid {columns}x{rows} shows {num_walks} walks, --seeds names {len(seeds)}; "
            f"give a multiple of {num_walks}"
        )
    if not path.takes(share):
        upper = "or more" if path.most is None else f"to {path.most}"
        wants = f"{path.fewest}" if path.most == path.fewest else f"{path.fewest} {upper}"
        raise SettingsError(f"a {walk.path} walk wants {wants} seeds, not {share}; change --seeds or --path")
    return [tuple(own) for own in chunks(seeds, share)]


def walk_frames(
    G: Generator,
    config: RenderConfig,
    walk: WalkConfig,
    dealt: Sequence[Sequence[int]],
    *,
    num_frames: int,
    wanted: Container[int],
    fps: float = 30.0,
) -> Iterator[tuple[int, Pixels]]:
    """Draw the frames of a walk in order, at least those that are wanted.

    Frames are drawn in batches cut at fixed places, and a batch of which any frame is wanted is drawn whole:
    a film taken up again has the same bytes as one drawn at once.

    Args:
        G: the generator.
        config: how pictures are drawn.
        walk: how the path runs.
        dealt: the seeds of each walk of the grid, from `walk_seeds`.
        num_frames: frames of the whole film.
        wanted: indices of the frames to draw.
        fps: frames a second.

    Yields:
        Index and uint8 `[H, W, 3]`, the walks of the grid side by side.
    """
    columns, rows = walk.grid
    num_walks = len(dealt)
    batch = config.batch or fitting_batch(G)
    strands = [_strand(G, config, walk, seeds) for seeds in dealt]
    plays = open_plays(config, G)
    clock = times(num_frames, WALKS[walk.path].closes(walk.loop))
    for indices in chunks(range(num_frames), max(batch // num_walks, 1)):
        if not any(index in wanted for index in indices):
            continue
        by_walk = torch.stack([_ws(G, config, walk, strand, clock[indices]) for strand in strands])
        ws = by_walk.transpose(0, 1).flatten(0, 1)  # [frames * walks, num_ws, w_dim], frame by frame
        moments = [
            Moment(seconds=index / fps, index=index, seed=index * num_walks + place)
            for index in indices
            for place in range(num_walks)
        ]
        pictures = _draw_in_batches(G, config, ws, moments, batch, plays)
        for index in indices:
            tiles = (next(pictures) for _ in range(num_walks))
            yield index, sheet(tiles, columns, rows)


def walk_ws(
    G: Generator, config: RenderConfig, walk: WalkConfig, seeds: Sequence[int], num_frames: int
) -> Tensor:
    """The ws `[num_frames, num_ws, w_dim]` of a single walk, all at once."""
    clock = times(num_frames, WALKS[walk.path].closes(walk.loop))
    return _ws(G, config, walk, _strand(G, config, walk, seeds), clock)


def _strand(G: Generator, config: RenderConfig, walk: WalkConfig, seeds: Sequence[int]) -> _Strand:
    course = Course(
        loop=walk.loop, seed=seeds[0], radius=walk.radius, diameter=walk.diameter, amount=walk.amount
    )
    keyframes = latents.z_from_seeds(seeds, G.z_dim)
    if _space(walk) == "w":
        w = latents.w_from_z(G, keyframes, config.class_index) - latents.w_avg(G)
        keyframes = w.cpu().double().numpy()
    return _Strand(keyframes=keyframes, course=course)


def _ws(G: Generator, config: RenderConfig, walk: WalkConfig, strand: _Strand, t: Floats) -> Tensor:
    points = WALKS[walk.path].at(strand.keyframes, t, strand.course)
    if _space(walk) == "z":
        return latents.ws_from_z(G, points, config.trunc, config.trunc_cutoff, config.class_index)
    average = latents.w_avg(G)
    w = average + torch.from_numpy(points).to(average)
    return latents.ws_from_w(G, w, config.trunc, config.trunc_cutoff)


def _space(walk: WalkConfig) -> str:
    return walk.space or WALKS[walk.path].space


def _draw_in_batches(
    G: Generator,
    config: RenderConfig,
    ws: Tensor,
    moments: Sequence[Moment],
    batch: int,
    plays: Sequence[Play],
) -> Iterator[Pixels]:
    """Pictures of ws; the noise of each is seeded by its place in the film."""
    for start in range(0, len(ws), batch):
        part = slice(start, start + batch)
        for picture in draw(G, ws[part], noise_mode=config.noise_mode, plays=plays, moments=moments[part]):
            yield enlarge(picture, config.scale, config.scale_filter)
