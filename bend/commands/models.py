"""`bend models`: the group of what is done with network files; each subcommand is a file of its own, imported when
called.
"""

import click

from bend.lazy import LazyGroup

__all__ = ["models"]

# name -> (module, attribute, one-line help)
_COMMANDS = {
    "list": ("bend.commands.models_list", "list_models", "The networks there are by name."),
    "pull": ("bend.commands.models_pull", "pull", "Download a known network."),
    "info": ("bend.commands.models_info", "info", "What a network file is, and what it would run elsewhere."),
    "convert": ("bend.commands.models_convert", "convert", "Write a network in another format."),
    "export": (
        "bend.commands.models_export",
        "export",
        "Write a network for others: a part, a half, a delta.",
    ),
    "grow": ("bend.commands.models_grow", "grow", "Grow a network to a higher resolution."),
    "mix": ("bend.commands.models_mix", "mix", "Make one network of several, layer by layer."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
def models() -> None:
    """List, download, inspect, convert, grow and mix networks.

    Example: bend models list
    """
