"""`bend render style-mix`: some layers of one seed, the rest of another."""

from pathlib import Path

import click

from bend.config import RenderConfig, StyleMixConfig
from bend.options.render import render_options, style_mix_options
from bend.options.shared import echo_report, force_option, json_option, output_option
from bend.options.typed import RenderCommand, typed_command

__all__ = ["style_mix"]


@click.command("style-mix", cls=RenderCommand)
@style_mix_options
@output_option("A .png, .jpg or .webp.")
@render_options
@force_option
@json_option
def style_mix(*, config: RenderConfig, mix: StyleMixConfig, output: Path, force: bool, as_json: bool) -> None:
    """Draw a table: each row's seed with the column's styles in some of its layers.

    Example: bend render style-mix --rows 0-3 --columns 4-9 --layers coarse -o out/mix.png
    """
    from bend.renders.style_mix import render_style_mix

    report = render_style_mix(config, mix, output, force=force, command=typed_command())
    echo_report(report, as_json)
