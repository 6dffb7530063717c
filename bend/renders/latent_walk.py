"""The latent walk: seeds as keyframes, a path through z or w, and the frames of a film along it.

In w the origin of a path is `w_avg`, and truncation is applied to its points; in z each point is mapped by itself.
Keyframes from a file of latents are in w, or in w+, where every layer has a path of its own. A grid shows several walks
side by side, each with its share of the seeds. `bend.strand` makes the paths, `bend.render` the pixels, and
`bend.film.destination` writes the frames.
"""

from collections.abc import Container, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bend.config import FilmConfig, RenderConfig, WalkConfig
from bend.errors import SettingsError
from bend.film.destination import check_output, write_film
from bend.film.video import check_frame
from bend.grid import sheet
from bend.picture import Pixels, Rendered, enlarge
from bend.play import Moment, Play, frames_to_draw, playing, run_up
from bend.projection.perception import Perception, by_pixels, find_perception
from bend.readiness import prepare_drawing
from bend.render import chunks, draw, fitting_batch, open_generator, open_plays
from bend.sizes import sheet_sides
from bend.strand import Strand, keyframes_given, strand_of
from bend.walks import WALKS, even_clock, times
from bend.walks.course import Floats
from bend.work import describe
from stylegan.checkpoint import load_network
from stylegan.generator import Generator

__all__ = ["render_latent_walk", "walk_frames", "walk_seeds"]


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
        seeds: keyframes, dealt in order to the walks of the grid; None for 0, 1, 2, … or every latent of a file.
        output: a film file or a folder, see `bend.film.destination`.
        force: write over what is there.
        command: the command line, for the provenance.

    Raises:
        SettingsError: seeds, grid and path do not match, or do not suit the network.
        RenderError: the output cannot be written.
        StyleganError: the network cannot be read.
    """
    check_output(output, force)
    if seeds is None and (keyframes := keyframes_given(config, walk)):
        seeds = range(keyframes)
    seeds, share = _shared_out(walk, seeds)
    G = open_generator(config)
    check_frame(output, *sheet_sides(config, G, *walk.grid))
    dealt = _dealt(seeds, share)
    prepare_drawing(G, film.num_frames * len(dealt))
    perception = find_perception(load_network(config.network).D) if walk.even else None
    provenance = describe(
        "latent-walk", config, G, command, seeds=[s for own in dealt for s in own], walk=walk, film=film
    )
    num_frames = film.num_frames

    def frames(wanted: Container[int]) -> Iterator[tuple[int, Pixels]]:
        return walk_frames(
            G,
            config,
            walk,
            dealt,
            num_frames=num_frames,
            wanted=wanted,
            fps=film.fps,
            perception=perception,
        )

    return write_film(output, frames, config=film, provenance=provenance, force=force)


def walk_seeds(walk: WalkConfig, seeds: Sequence[int] | None) -> list[tuple[int, ...]]:
    """Deal the seeds to the walks of the grid, in order and in equal shares.

    Raises:
        SettingsError: they cannot be shared out equally, or a share does not suit the path.
    """
    return _dealt(*_shared_out(walk, seeds))


def _shared_out(walk: WalkConfig, seeds: Sequence[int] | None) -> tuple[Sequence[int], int]:
    """The seeds, those of the grid for None, and how many each walk gets."""
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
    return seeds, share


def _dealt(seeds: Sequence[int], share: int) -> list[tuple[int, ...]]:
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
    perception: Perception | None = None,
) -> Iterator[tuple[int, Pixels]]:
    """Draw the frames of a walk in order, at least those that are wanted.

    Frames are drawn in fixed batches, and a batch with any wanted frame is drawn whole, so that a resumed film has the
    same bytes as one drawn at once. If a play remembers earlier frames, all frames up to the last wanted one are drawn,
    in a loop from before the first (`bend.play.run_up`).

    Args:
        G: the generator.
        config: how pictures are drawn.
        walk: how the path runs.
        dealt: the seeds of each walk of the grid, from `walk_seeds`.
        num_frames: frames of the whole film.
        wanted: indices of the frames to draw.
        fps: frames a second.
        perception: measures the distance between frames for an even walk; None for low-resolution pixels.

    Yields:
        Index and uint8 `[H, W, 3]`, the walks of the grid side by side.
    """
    columns, rows = walk.grid
    num_walks = len(dealt)
    batch = config.batch or fitting_batch(G)
    strands = [strand_of(G, config, walk, seeds) for seeds in dealt]
    plays = open_plays(config, G)
    before = run_up(plays, num_frames, fps, closed=WALKS[walk.path].closes(walk.loop))
    needed = frozenset(frames_to_draw(plays, num_frames, wanted, before))
    clocks = [_clock(G, config, walk, strand, num_frames, plays, perception) for strand in strands]
    for indices in chunks(range(-before, num_frames), max(batch // num_walks, 1)):
        if needed.isdisjoint(indices):
            continue
        at = [index % num_frames for index in indices]  # a loop's end comes before its beginning
        by_walk = torch.stack(
            [strand.ws(G, config, clock[at]) for strand, clock in zip(strands, clocks, strict=True)]
        )
        ws = by_walk.transpose(0, 1).flatten(0, 1)  # [frames * walks, num_ws, w_dim], frame by frame
        moments = [
            Moment.of_frame(index, num_frames, fps, before, place, num_walks)
            for index in indices
            for place in range(num_walks)
        ]
        pictures = _draw_in_batches(G, config, ws, moments, batch, plays)
        for index in indices:
            tiles = (next(pictures) for _ in range(num_walks))
            frame = sheet(tiles, columns, rows)
            if index >= 0:
                yield index, frame


def _clock(
    G: Generator,
    config: RenderConfig,
    walk: WalkConfig,
    strand: Strand,
    num_frames: int,
    plays: Sequence[Play],
    perception: Perception | None,
) -> Floats:
    """The walk's time at each frame, `[num_frames]`."""
    closed = WALKS[walk.path].closes(walk.loop)
    if not walk.even:
        return times(num_frames, closed)
    # Plays that vary change the picture at a speed of their own, for which the path cannot compensate.
    steady = [play for play in plays if not play.varies]
    embed = (perception or by_pixels()).embed

    def measure(t: Floats) -> Floats:
        vectors = []
        for part in chunks(t, config.batch or fitting_batch(G)):
            ws = strand.ws(G, config, np.array(part))
            # Not rounded to bytes, and without random noise: both would look like motion.
            with torch.inference_mode(), playing(G, steady, Moment()):
                images = G.synthesis(ws, noise_mode="none" if config.noise_mode == "none" else "const")
                vectors.append(embed(torch.nan_to_num(images).clamp(-1, 1)).cpu())
        seen = torch.cat(vectors).double()
        return (seen[1:] - seen[:-1]).norm(dim=1).numpy()

    return even_clock(measure, num_frames, closed)


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
