"""`bend doctor`: what this machine can do, and what is missing."""

import dataclasses
import json

import click

from bend.options.shared import json_option

__all__ = ["doctor"]


@click.command()
@json_option
def doctor(*, as_json: bool) -> None:
    """Look at torch, devices, compilers, native operations, codecs, extras, folders and keys, and say what is missing.

    Lines marked ! get in the way of something, those marked · are worth knowing; mends are given below them.

    Example: bend doctor
    """
    from bend.doctor import examine, lines

    if as_json:
        click.echo(json.dumps([dataclasses.asdict(finding) for finding in examine()], indent=2))
        return
    for line in lines(examine()):
        click.echo(line)
