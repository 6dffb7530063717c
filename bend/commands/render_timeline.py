"""`bend render timeline`: the same seeds over the snapshots of a run."""

from pathlib import Path

import click

from bend.config import RenderConfig
from bend.options import (
    RenderCommand,
    echo_report,
    force_option,
    json_option,
    output_option,
    render_options,
    seeds_option,
    typed_command,
)

__all__ = ["timeline"]


@click.command(cls=RenderCommand)
@seeds_option("Rows of the sheet.  [default: 0-5]")
@output_option("A .png, .jpg or .webp.")
@render_options
@force_option
@json_option
def timeline(
    *,
    config: RenderConfig,
    seeds: tuple[int, ...] | None,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Draw the same seeds, snapshot after snapshot, to see a run break.

    Example: bend render timeline --network runs/00000-rocks-faces64 --weights raw -o out/timeline.png
    """
    from bend.timeline import render_timeline

    report = render_timeline(config, seeds, output, force=force, command=typed_command())
    echo_report(report, as_json)
