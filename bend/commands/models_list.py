"""`bend models list`: the networks there are by name."""

import dataclasses
import json

import click

from bend.options.shared import json_option

__all__ = ["list_models"]


@click.command("list")
@json_option
def list_models(*, as_json: bool) -> None:
    """List the networks that come with bend and those that can be pulled, with licence, size and resolution.

    Example: bend models list
    """
    from bend.models.listing import rows, table

    found = list(rows())
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(row) for row in found], indent=2))
        return
    for line in table(found):
        click.echo(line)
