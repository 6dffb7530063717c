"""`bend render images`: a PNG a seed."""

from pathlib import Path

import click

from bend.config import RenderConfig
from bend.options.render import render_options
from bend.options.shared import echo_report, force_option, json_option, output_option, seeds_option
from bend.options.typed import RenderCommand, typed_command

__all__ = ["images"]


@click.command(cls=RenderCommand)
@seeds_option("Seeds and ranges.  [default: 0-7]")
@output_option("Folder of seed0000.png, …")
@render_options
@force_option
@json_option
def images(
    *, config: RenderConfig, seeds: tuple[int, ...] | None, output: Path, force: bool, as_json: bool
) -> None:
    """Draw one picture for each seed; pictures that are there already are kept.

    Example: bend render images --seeds 0-31,77 --trunc 0.7 -o out/faces
    """
    from bend.renders.stills import render_images

    report = render_images(config, seeds, output, force=force, command=typed_command())
    echo_report(report, as_json)
