"""`bend render clusters`: which channels draw what."""

from pathlib import Path

import click

from bend.config import RenderConfig
from bend.options.render import render_options
from bend.options.shared import echo_report, force_option, json_option, output_option, seeds_option
from bend.options.typed import RenderCommand, typed_command
from bend.options.types import FINITE

__all__ = ["clusters"]


@click.command(cls=RenderCommand)
@seeds_option("The seed whose picture is shown.  [default: 0]")
@output_option("A .png, .jpg or .webp.")
@click.option(
    "--layers", default="*", show_default=True, metavar="PATTERN", help="Which convolutions: b16.*, say."
)
@click.option("--boost", type=FINITE, default=3.0, show_default=True, help="How far clusters are turned up.")
@render_options
@force_option
@json_option
def clusters(
    *,
    config: RenderConfig,
    seeds: tuple[int, ...] | None,
    layers: str,
    boost: float,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Find which channels of each layer act together, and show what each group draws, to use as /cluster=K.

    Example: bend render clusters --seeds 3 -o clusters.png
    """
    from bend.renders.cluster_sheet import ClusterSheetConfig, render_clusters

    shown = ClusterSheetConfig(layers=layers, boost=boost)
    report = render_clusters(config, shown, seeds, output, force=force, command=typed_command())
    echo_report(report, as_json)
