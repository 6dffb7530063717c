"""`bend info`: what a network, data set or run is."""

import json
from pathlib import Path

import click

from bend.options.shared import echo_lines, force_option, json_option
from bend.options.stored import StoreCommand

__all__ = ["info"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=StoreCommand, roles={"path": "outline", "graph": "output", "sheet": "output"})
@click.argument("path", metavar="PATH")
@click.option("--part", type=click.Choice(("G", "D")), help="Only the generator, or only the discriminator.")
@click.option(
    "--graph", type=_FILE, metavar="OUT", help="Draw a network's graph: .svg or .png; G unless --part D."
)
@click.option(
    "--sheet", type=_FILE, metavar="OUT", help="Lay out a data set's pictures: .png, .jpg or .webp."
)
@force_option
@json_option
def info(
    path: str, *, part: str | None, graph: Path | None, sheet: Path | None, force: bool, as_json: bool
) -> None:
    """Say what PATH is: a network layer by layer with its shapes, a data set, a run and its best moments, or runs.

    A network may be a name, a file of any format, or RUN@KIMG. No weights are loaded; nothing in a file is run.

    Example: bend info faces64 --graph faces64.svg
    """
    from bend.info.inspect import Request, inspect

    found = inspect(Request(path=path, part=part, graph=graph, sheet=sheet, force=force))
    echo_lines([json.dumps(found.record)] if as_json else found.lines)
    for output in (graph, sheet):
        if output is not None:
            click.echo(f"{output}: written", err=True)
