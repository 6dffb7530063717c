"""`bend render grid`: a sheet of seeds."""

from pathlib import Path

import click

from bend.config import RenderConfig
from bend.options.render import render_options
from bend.options.shared import (
    echo_report,
    force_option,
    grid_option,
    json_option,
    output_option,
    seeds_option,
)
from bend.options.typed import RenderCommand, typed_command

__all__ = ["grid"]


@click.command(cls=RenderCommand)
@seeds_option("Seeds and ranges.  [default: 0, 1, 2, … to fill the grid]")
@grid_option("Columns and rows; as square as possible if left out.")
@output_option("A .png, .jpg or .webp.")
@render_options
@force_option
@json_option
def grid(
    *,
    config: RenderConfig,
    seeds: tuple[int, ...] | None,
    grid: tuple[int, int] | None,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Draw a sheet of seeds.

    Example: bend render grid --seeds 0-7 --grid 4x2 -o out/faces.png
    """
    from bend.renders.stills import render_grid

    report = render_grid(config, seeds, grid, output, force=force, command=typed_command())
    echo_report(report, as_json)
