"""`bend render dial`: a base turned into what it was bent to, and beyond."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from bend.config import FilmConfig, RenderConfig
from bend.options.records import usage_errors
from bend.options.render import film_options, refuse_film_options, render_options
from bend.options.shared import (
    echo_report,
    ends_options,
    force_option,
    grid_option,
    json_option,
    output_option,
    seeds_option,
)
from bend.options.typed import RenderCommand, typed_command

__all__ = ["dial"]


@click.command(cls=RenderCommand)
@ends_options
@click.option(
    "--amount", default="-0.5..1.5", show_default=True, help="A range, number, b4=0,b64=1, or 0s:0,5s:1."
)
@click.option("--swap", type=int, metavar="RES", help="Bent from this resolution up, base below.")
@click.option("--logistic", metavar="RES:OCTAVES", help="The same with a smooth transition: 16:0.5.")
@click.option("--steps", type=int, default=9, show_default=True, help="Columns of a range's sheet.")
@click.option("--loop", is_flag=True, help="Film a range there and back again.")
@seeds_option("Rows of a range's sheet, pictures of a film.  [default: to fill the grid, or 0-5]")
@grid_option("Of a film: columns and rows of the seeds.")
@output_option("A .png, .jpg or .webp sheet, or an .mp4, .gif or .apng film.")
@render_options
@film_options
@force_option
@json_option
def dial(
    *,
    config: RenderConfig,
    film: FilmConfig,
    base: str,
    bents: tuple[str, ...],
    shares: tuple[float, ...] | None,
    amount: str,
    swap: int | None,
    logistic: str | None,
    steps: int,
    loop: bool,
    grid: tuple[int, int] | None,
    seeds: tuple[int, ...] | None,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Turn a base into what it was bent to, and beyond.

    Example: bend render dial --from faces64 --to runs/00000-rocks-faces64 --seeds 0-5 -o out/dial.png
    """
    from bend.picture import is_picture
    from bend.renders.dial import DialConfig, render_dial_film, render_dial_sheet

    config = dataclasses.replace(config, network=bents[0])
    with usage_errors():
        ends = DialConfig(
            base=base,
            others=bents[1:],
            shares=shares,
            amount=amount,
            swap=swap,
            logistic=logistic,
            steps=steps,
        )
    given: dict[str, Any] = {"force": force, "command": typed_command()}
    if is_picture(output):
        refuse_film_options("loop", "grid")
        report = render_dial_sheet(config, ends, seeds, output, **given)
    else:
        report = render_dial_film(config, ends, film, seeds, output, loop=loop, grid=grid, **given)
    echo_report(report, as_json)


dial.params = [option for option in dial.params if option.name != "network"]  # --to says it
