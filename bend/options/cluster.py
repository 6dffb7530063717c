"""The options of commands whose work other machines can do."""

import click

from bend.options.records import option_group

__all__ = ["ENGINES", "engine_options"]

ENGINES = ("local", "ray")

engine_options = option_group(
    click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default=ENGINES[0],
        show_default=True,
        help="This machine alone, or a Ray cluster.",
    ),
    click.option(
        "--address",
        metavar="HOST:PORT",
        help="Head of the Ray cluster, or auto; if left out, one is started here for this command.",
    ),
)
