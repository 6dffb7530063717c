"""`bend render timeline`: the same seeds over the snapshots of a run, as a sheet, a film or a page."""

from pathlib import Path

import click

from bend.config import FilmConfig, RenderConfig
from bend.options.render import film_options, refuse_film_options, render_options
from bend.options.shared import (
    echo_report,
    force_option,
    grid_option,
    json_option,
    output_option,
    seeds_option,
)
from bend.options.typed import RenderCommand, typed_command

__all__ = ["timeline"]


@click.command(cls=RenderCommand)
@seeds_option("Rows of a sheet, pictures of a film or page.  [default: to fill the grid, or 0-5]")
@click.option("--both", is_flag=True, help="The raw generator and its average together.")
@click.option("--score", is_flag=True, help="First score the snapshots that the run has not scored.")
@click.option("--loop", is_flag=True, help="Film there and back again.")
@grid_option("Of a film or page: columns and rows of the seeds.")
@output_option("A .png, .jpg or .webp sheet, an .mp4, .gif or .apng film, or an .html page to scrub through.")
@render_options
@film_options
@force_option
@json_option
def timeline(
    *,
    config: RenderConfig,
    film: FilmConfig,
    seeds: tuple[int, ...] | None,
    both: bool,
    score: bool,
    loop: bool,
    grid: tuple[int, int] | None,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Show the same seeds, snapshot after snapshot, to see a run break.

    Example: bend render timeline --network runs/00000-rocks-faces64 --weights raw -o out/timeline.png
    """
    from bend.picture import is_picture

    if score:
        from bend.score import score_run

        score_run(Path(config.network), device=config.device)
    if is_picture(output):
        refuse_film_options("loop", "grid")
        from bend.renders.timeline import render_timeline

        report = render_timeline(config, seeds, output, both=both, force=force, command=typed_command())
    elif output.suffix.lower() == ".html":
        refuse_film_options("loop")
        from bend.renders.scrubber import render_scrubber

        report = render_scrubber(config, seeds, output, grid=grid, force=force, command=typed_command())
    else:
        from bend.renders.timeline_film import render_timeline_film

        report = render_timeline_film(
            config, film, seeds, output, both=both, loop=loop, grid=grid, force=force, command=typed_command()
        )
    echo_report(report, as_json)
