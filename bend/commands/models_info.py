"""`bend models info`: what a network file is, and what it would run elsewhere."""

import json

import click

from bend.options.shared import echo_lines, json_option
from bend.options.stored import StoreCommand

__all__ = ["info"]


@click.command(cls=StoreCommand, roles={"file": "network"})
@click.argument("file")
@json_option
def info(file: str, *, as_json: bool) -> None:
    """Say what FILE (a network file, run folder, RUN@KIMG or name) is, without running anything in it.

    Format, architecture, kimg, checksums, and what an ordinary unpickler would call and execute. An unreadable file
    is described as far as possible, with exit status 1.

    Example: bend models info faces64
    """
    from bend.errors import ModelError
    from bend.models.facts import describe, lines

    facts = describe(file)
    echo_lines(json.dumps(facts.as_json(), indent=2).splitlines() if as_json else lines(facts))
    if facts.refusal:
        raise ModelError(facts.refusal)
