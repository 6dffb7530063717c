"""`bend render plane`: a sheet with two axes, the map of latent space unless told otherwise."""

from pathlib import Path

import click

from bend.config import PlaneConfig, RenderConfig
from bend.options.render import plane_options, render_options
from bend.options.shared import echo_report, force_option, json_option, output_option, seeds_option
from bend.options.typed import RenderCommand, typed_command

__all__ = ["plane"]


@click.command(cls=RenderCommand)
@seeds_option("Top left, and one more for each axis of seeds: top right, bottom left.  [default: 0,1,2]")
@plane_options
@output_option("A .png, .jpg or .webp.")
@render_options
@force_option
@json_option
def plane(
    *,
    config: RenderConfig,
    plane: PlaneConfig,
    seeds: tuple[int, ...] | None,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Draw a plane: the map of latent space through three seeds, or any two axes.

    Example: bend render plane --network runs/00000-rocks-faces64 --x kimg --y trunc=0..1.5 --seeds 3 -o out/plane.png
    """
    from bend.renders.plane import render_plane

    report = render_plane(config, plane, seeds, output, force=force, command=typed_command())
    echo_report(report, as_json)
