"""Tries a line that a reader would type, such as `bend package photos -o out.zip`, without running it.

Options, their values and the arguments are parsed by the command itself; only whether the files that an example names
exist is not checked. Used for the examples in help, in the README and in the docs.
"""

import re
import shlex
from collections.abc import Iterator
from unittest.mock import patch

import click

from bend.cli import bend
from bend.options.stored import StoreCommand

__all__ = ["commands", "examples", "parse", "typed"]


def commands(group: click.Group = bend, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command below the group with its full name, groups included."""
    context = click.Context(group, info_name="bend")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, f"{name} is listed but cannot be had"
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def examples(text: str) -> list[str]:
    """The `bend …` lines after `Example:` in a help text, each as Click will lay it out."""
    _, _, after = text.partition("Example:")
    found = []
    for paragraph in after.split("\n\n"):
        kept = "\b" in paragraph or "\n\b\nExample:" in text
        found += typed(paragraph.replace("\b", "") if kept else " ".join(paragraph.split()))
    return found


def typed(text: str) -> list[str]:
    """Every line of a text that starts with `bend `, leading `$ ` and trailing comments dropped."""
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    lines = (re.sub(r"^\s*(\$ )?", "", line) for line in joined.splitlines())
    return [line.split("  #")[0].rstrip() for line in lines if re.match(r"bend (?!= )", line)]


def parse(line: str) -> None:
    """Let the named command parse the line.

    Raises:
        click.UsageError: the command does not accept it.
    """
    name, *arguments = shlex.split(line)
    assert name == "bend"
    anything_exists = patch.object(
        click.Path, "convert", lambda self, value, *_: self.coerce_path_result(value)
    )
    nothing_runs = patch.object(click.Command, "invoke", lambda *_: None)
    nothing_is_fetched = patch.object(StoreCommand, "invoke", lambda *_: None)
    with anything_exists, nothing_runs, nothing_is_fetched:
        bend.main(arguments, prog_name="bend", standalone_mode=False)
