"""Options that the commands of `bend models` share, and the summary line of those that write."""

import json
from typing import Any

import click

__all__ = ["base_option", "echo_written"]

base_option = click.option(
    "--base", metavar="BASE", help="The base of a delta, where it is not found automatically."
)


def echo_written(written: Any, as_json: bool) -> None:
    """Print what was written (`bend.models.outgoing.Written`): a line and its notes, or JSON."""
    if as_json:
        click.echo(json.dumps(written.as_json()))
        return
    names = ", ".join(str(path) for path in written.files)
    click.echo(f"{names}: {', '.join(written.networks)}, {written.num_bytes / 1e6:.1f} MB")
    for note in written.notes:
        click.echo(f"note: {note}", err=True)
