"""A Click group that imports its commands when they are called, so that help needs neither torch nor Pillow."""

import importlib
import itertools
import re
from collections.abc import Sequence
from typing import Any

import click

from bend.nearest import meant
from bend.stores.address import is_address

__all__ = ["LazyGroup", "refuse_words"]


class LazyGroup(click.Group):
    """A Click group whose commands are imported on first use from a literal table."""

    def __init__(self, *args: Any, table: dict[str, tuple[str, str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.table:
            return None
        module, attribute, _ = self.table[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.table and not args[0].startswith("-"):
            ctx.fail(f"No such command {args[0]!r}; {meant(args[0], self.table)}")
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and not isinstance(command, click.Group):
            refuse_words(command, rest)
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, _, summary) in self.table.items()])


def refuse_words(command: click.Command, words: Sequence[str]) -> None:
    """Refuse words that a command would mistake for a path: empty ones, and addresses on object stores.

    Raises:
        click.UsageError: an empty word, or an address that the command does not take (`bend.options.stored`).
    """
    for before, word in itertools.pairwise(["", *words]):
        if not word or re.fullmatch(r"--[a-z-]+=", word):
            said = f"{before} {word!r}" if before.startswith("-") else repr(word)
            raise click.UsageError(f"{said}: is empty; give a value, or leave it out")
    if getattr(command, "takes_addresses", False):
        return
    for word in words:
        value = re.sub(r"^(--[a-z-]+=|-[a-z])", "", word)
        if is_address(value):
            raise click.UsageError(f"{value}: this command works only on local files; copy them here first.")
