"""`bend render latent-walk`: a film from seed to seed."""

from pathlib import Path

import click

from bend.config import FilmConfig, RenderConfig, WalkConfig
from bend.options.render import film_options, render_options, walk_options
from bend.options.shared import echo_report, force_option, json_option, output_option, seeds_option
from bend.options.typed import RenderCommand, typed_command

__all__ = ["latent_walk"]


@click.command("latent-walk", cls=RenderCommand)
@seeds_option("Keyframes, dealt in order to the walks of the grid.  [default: 0, 1, 2, …]")
@walk_options
@film_options
@output_option("A .mp4, .webp, .gif or .apng, or a folder of frames, which can be resumed.")
@render_options
@force_option
@json_option
def latent_walk(
    *,
    config: RenderConfig,
    walk: WalkConfig,
    film: FilmConfig,
    seeds: tuple[int, ...] | None,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Draw a film that walks through latent space from seed to seed.

    Example: bend render latent-walk --seeds 0-7 --loop --seconds 20 -o out/walk.mp4
    """
    from bend.renders.latent_walk import render_latent_walk

    report = render_latent_walk(config, walk, film, seeds, output, force=force, command=typed_command())
    echo_report(report, as_json)
