"""`bend render plane`: the map of latent space."""

from pathlib import Path

import click

from bend.config import PlaneConfig, RenderConfig
from bend.options import (
    RenderCommand,
    echo_report,
    force_option,
    json_option,
    output_option,
    plane_options,
    render_options,
    seeds_option,
    typed_command,
)

__all__ = ["plane"]


@click.command(cls=RenderCommand)
@seeds_option("Three seeds: top left, top right, bottom left.  [default: 0,1,2]")
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
    """Draw the map of latent space: the plane through three seeds.

    Example: bend render plane --seeds 1,2,3 --grid 9x9 -o out/map.png
    """
    from bend.stills import render_plane

    report = render_plane(config, plane, seeds, output, force=force, command=typed_command())
    echo_report(report, as_json)
