"""`bend ops`: the group of what concerns the native operations; each subcommand is a file of its own."""

import click

from bend.lazy import LazyGroup

__all__ = ["ops"]

# name -> (module, attribute, one-line help)
_COMMANDS = {
    "build": ("bend.commands.ops_build", "build", "Compile the native operations for this machine."),
    "bench": ("bend.commands.ops_bench", "bench", "Time them against the plain ones."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
def ops() -> None:
    """Compile and time the native operations, which do the same as torch's own, faster.

    Example: bend ops build
    """
