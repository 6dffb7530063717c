"""`bend roll`: chance."""

import contextlib
import dataclasses
import json
from pathlib import Path

import click

from bend.config import RenderConfig
from bend.options.records import usage_errors
from bend.options.render import render_options
from bend.options.shared import force_option, json_option, output_option
from bend.options.stored import StoreCommand
from bend.options.types import SEEDS

__all__ = ["roll"]


def _like_the_first(
    context: click.Context, param: click.Parameter, parents: tuple[Path, Path] | None
) -> tuple[Path, Path] | None:
    """Have the first parent's recipe give the options that are left out."""
    from bend.roll import look_of

    if parents is not None:
        flags = {flag for option in context.command.params for flag in option.opts}
        if str(parents[1]) in flags:  # taken for the second recipe
            raise click.BadParameter(f"takes two recipes; name another after {parents[0]}")
        with contextlib.suppress(OSError):  # an earlier stage of a recipe may write it yet
            context.default_map = look_of(parents[0])
    return parents


@click.command(cls=StoreCommand, roles={"network": "network", "latents": "input", "output": "output"})
@click.option("--n", type=int, default=64, show_default=True, metavar="N", help="How many.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the dice.")
@click.option(
    "--breed",
    type=(click.Path(path_type=Path), click.Path(path_type=Path)),
    metavar="A.toml B.toml",
    callback=_like_the_first,
    is_eager=True,
    help="Cross and mutate two recipes of a roll; children are drawn as A is, unless told otherwise.",
)
@click.option(
    "--seeds", type=SEEDS, default="0-3", show_default=True, metavar="0-31,77", help="Seeds drawn for each."
)
@output_option("Folder for the sheet and the recipes.")
@render_options
@force_option
@json_option
def roll(
    *,
    config: RenderConfig,
    n: int,
    seed: int,
    breed: tuple[Path, Path] | None,
    seeds: tuple[int, ...],
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Throw random bends, keep those that live, and show them on a sheet with the recipe of each.

    Example: bend roll --n 64 -o out/roll
    """
    from bend.roll import RollConfig
    from bend.roll import roll as throw

    with usage_errors():
        dice = RollConfig(n=n, seed=seed, breed=breed or (), seeds=seeds)
    done = throw(config, dice, output, force=force)
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(done), "folder": str(done.folder)}))
        return
    dead = ", ".join(f"{count} {fault}" for fault, count in done.faults.items())
    click.echo(
        f"{done.folder}: {done.num_alive} of {done.num_thrown} throws live{f' ({dead})' if dead else ''}"
    )


roll.params = [option for option in roll.params if option.name not in ("bend", "trunc")]  # the dice say them
