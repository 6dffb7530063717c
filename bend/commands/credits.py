"""`bend credits`: who made the pictures, under which licence."""

from pathlib import Path

import click

from bend.options.stored import StoreCommand

__all__ = ["credits"]

_FORMATS = ("text", "markdown", "csv", "json")


@click.command(cls=StoreCommand, roles={"path": "outline"})
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(_FORMATS),
    default="text",
    show_default=True,
    help="Format of the list.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def credits(path: Path, *, format_: str, as_json: bool) -> None:
    """Print who made the pictures behind PATH, ready to publish: a folder, zip, run or rendered picture.

    Licences that forbid commercial use (NC) or adaptations (ND), and unknown ones, are flagged.

    Example: bend credits rocks --format markdown
    """
    from bend import attribution

    found = attribution.collect(path)
    listing = attribution.render(found, "json" if as_json else format_)
    if listing:
        click.echo(listing)
    for concern in attribution.concerns(found):
        click.echo(concern, err=True)
    if not found:
        click.echo(f"{path}: no pictures with known origin", err=True)
