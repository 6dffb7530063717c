"""`bend models grow`: a network of a higher resolution that draws what the small one drew."""

import dataclasses
import json
from pathlib import Path

import click

from bend.options.shared import force_option, json_option, output_option
from bend.options.stored import StoreCommand

__all__ = ["grow"]


@click.command(cls=StoreCommand, roles={"source": "network", "output": "output"})
@click.argument("source")
@click.option("--resolution", type=int, required=True, metavar="R", help="A larger power of two.")
@click.option(
    "--channel-base",
    type=click.IntRange(1, 1 << 24),
    metavar="N",
    help="Channels times resolution, to make it wider too; the network's own if left out.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seed of the new weights.",
)
@output_option("A .safetensors file.")
@force_option
@json_option
def grow(
    source: str,
    *,
    resolution: int,
    channel_base: int | None,
    seed: int,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Grow SOURCE (any network file, run folder, RUN@KIMG or name) to a higher resolution.

    At first it draws the same pictures, enlarged, and its discriminator judges as before; fine-tuning it on larger
    pictures takes far less time than training from nothing.

    Example: bend models grow faces64 --resolution 128 -o start128.safetensors
    """
    from bend.models.growing import grow_network

    grown = grow_network(source, output, resolution, channel_base=channel_base, seed=seed, force=force)
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(grown), "output": str(grown.output)}))
    else:
        side = grown.img_resolution
        click.echo(f"{grown.output}: {', '.join(grown.networks)} of {grown.source}, grown to {side}×{side}")
