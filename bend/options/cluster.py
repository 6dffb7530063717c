"""The options of commands whose work other machines can do."""

from collections.abc import Callable
from typing import Any, TypeAlias

import click

__all__ = ["ENGINES", "engine_options"]

Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

ENGINES = ("local", "ray")


def engine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--engine` and `--address`."""
    for option in (
        click.option(
            "--address",
            metavar="HOST:PORT",
            help="Head of the Ray cluster, or auto; left out, one starts here for the while.",
        ),
        click.option(
            "--engine",
            type=click.Choice(ENGINES),
            default=ENGINES[0],
            show_default=True,
            help="This machine alone, or a Ray cluster.",
        ),
    ):
        function = option(function)
    return function
