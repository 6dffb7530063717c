"""The command line as it was typed, with options in full: rendered pictures carry it, so that they can be replayed."""

import shlex
from typing import Any

import click

from bend.options.stored import TYPED, Role, StoreCommand

__all__ = ["COMMAND_LINE", "RenderCommand", "given_options", "typed_command"]

COMMAND_LINE = "bend.typed_command"
"""Where a context keeps it; see `typed_command`."""

# The place of the output is not part of the work, see `bend.provenance`.
_NOT_RECORDED = ("output", "force", "as_json")
# What its files say is told, so that the work stands without them.
_AS_READ = ("bend",)
_ROLES: dict[str, Role] = {
    "network": "run",
    "dial_from": "network",
    "base": "network",
    "bents": "network",
    "latents": "input",
    "path_file": "input",
    "picture": "input",
    "film": "output",
    "output": "output",
}


class RenderCommand(StoreCommand):
    """A command that records how it was typed, for the provenance; see `typed_command`."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, roles=_ROLES, **settings)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        typed, order = ctx.meta[TYPED]
        words = ctx.command_path.split()
        for param in order:
            if param.name in typed and param.name not in _NOT_RECORDED:
                words += _spelled(param, (ctx.params if param.name in _AS_READ else typed)[param.name])
        ctx.meta[COMMAND_LINE] = shlex.join(words)
        return rest


def typed_command() -> str:
    """The command line of the running `RenderCommand` without its output; in a replay, that of the original."""
    context = click.get_current_context()
    return str((context.obj or {}).get(COMMAND_LINE) or context.meta[COMMAND_LINE])


def given_options(command: click.Command, words: list[str]) -> dict[str, Any]:
    """The options of a command line by parameter, unconverted.

    Raises:
        click.UsageError: the command does not know them.
    """
    context = click.Context(command, info_name=command.name)
    typed, left, order = command.make_parser(context).parse_args(args=list(words))
    if left:
        raise click.UsageError(f"unexpected {left[0]!r}")
    return {param.name: typed[param.name] for param in dict.fromkeys(order) if param.name in typed}


def _spelled(param: click.Parameter, value: Any) -> list[str]:
    if isinstance(param, click.Option) and param.is_flag:
        return [param.opts[0]] if value else param.secondary_opts[:1]
    values = value if isinstance(value, (list, tuple)) else [value]
    if isinstance(param, click.Argument):
        return list(map(str, values))
    flag = max(param.opts, key=len)
    return [word for one in values for word in (flag, str(one))]
