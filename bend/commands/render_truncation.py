"""`bend render truncation`: from the average picture outwards, as a sheet or a film."""

from pathlib import Path

import click

from bend.config import FilmConfig, RenderConfig, TruncationConfig
from bend.options.render import film_options, refuse_film_options, render_options, truncation_options
from bend.options.shared import echo_report, force_option, json_option, output_option, seeds_option
from bend.options.typed import RenderCommand, typed_command

__all__ = ["truncation"]


@click.command(cls=RenderCommand)
@seeds_option("Rows of the sheet, or tiles of the film.  [default: 0-3]")
@truncation_options
@film_options
@output_option("A .png, .jpg or .webp sheet; a .mp4, .gif or .apng film, or a folder of its frames.")
@render_options
@force_option
@json_option
def truncation(
    *,
    config: RenderConfig,
    sweep: TruncationConfig,
    film: FilmConfig,
    seeds: tuple[int, ...] | None,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Draw seeds from one truncation psi to another: below 0 lies each one's opposite.

    Example: bend render truncation --seeds 0-3 --from -1 --to 1.5 -o out/psi.png
    """
    from bend.picture import is_picture
    from bend.renders.truncation_sweep import render_truncation

    if is_picture(output):
        refuse_film_options("loop")
    report = render_truncation(config, sweep, film, seeds, output, force=force, command=typed_command())
    echo_report(report, as_json)
