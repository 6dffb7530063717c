"""Writes `docs/commands/`: one page a command, made from the help that the command itself gives.

Run by `make docs`; a test compares the pages with what this script would write, so that help and page never
differ. Help is set at a fixed width, so that a page does not depend on the terminal it was made in.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from bend.cli import bend

__all__ = ["WIDTH", "index", "page", "pages", "write"]

WIDTH = 100
FOLDER = Path(__file__).resolve().parent / "commands"
NOTICE = "<!-- Written by `make docs` from the command's own help. -->\n"


def pages() -> dict[str, str]:
    """All pages by file name, `index.md` among them."""
    context = click.Context(bend, info_name="bend")
    commands = {name: bend.get_command(context, name) for name in bend.list_commands(context)}
    made = {f"{name}.md": page(name, command) for name, command in commands.items() if command is not None}
    return {"index.md": index(), **made}


def page(name: str, command: click.Command) -> str:
    """One command's page: its help, and that of each of its subcommands."""
    context = click.Context(
        bend,
        info_name="bend",
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=bend.context_settings["help_option_names"],
    )
    parts = [NOTICE]
    for depth, words, text in _helps(context, name, command):
        parts.append(f"{'#' * (depth + 1)} {words}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def index() -> str:
    """The list of commands, each linked to its page."""
    rows = [f"| [bend {name}]({name}.md) | {summary} |" for name, (_, _, summary) in bend.table.items()]
    return "\n".join([NOTICE, "# Commands\n", "| command | what it does |", "|---|---|", *rows]) + "\n"


def write(folder: Path = FOLDER) -> list[Path]:
    """Write every page and remove pages of commands that are gone; returns the paths written."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages()
    for stale in set(folder.glob("*.md")) - {folder / name for name in made}:
        stale.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in made]


def _helps(parent: click.Context, name: str, command: click.Command) -> Iterator[tuple[int, str, str]]:
    """Depth, full name and help text of a command and of all below it."""
    context = click.Context(command, parent=parent, info_name=name)
    lines = command.get_help(context).splitlines()
    words = context.command_path
    yield words.count(" ") - 1, words, "\n".join(line.rstrip() for line in lines)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            if (subcommand := command.get_command(context, below)) is not None and not subcommand.hidden:
                yield from _helps(context, below, subcommand)


if __name__ == "__main__":
    click.echo(f"{len(write())} pages in docs/commands")
