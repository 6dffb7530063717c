"""`bend models export`: write a network for others: a part, a half, or a delta."""

from pathlib import Path

import click

from bend.options.models import base_option, echo_written
from bend.options.records import usage_errors
from bend.options.shared import force_option, json_option, output_option
from bend.options.stored import StoreCommand

__all__ = ["export"]


@click.command(
    cls=StoreCommand,
    roles={"source": "network", "base": "network", "delta_from": "network", "output": "output"},
)
@click.argument("source")
@output_option("A .safetensors, .pkl, .pt or .onnx.")
@click.option(
    "--weights",
    type=click.Choice(["all", "ema"]),
    default="all",
    show_default=True,
    help="All networks of the file, or the averaged generator alone.",
)
@click.option("--half", is_flag=True, help="Store half precision (.safetensors).")
@click.option("--delta-from", metavar="BASE", help="Store the difference from BASE alone (.safetensors).")
@base_option
@force_option
@json_option
def export(
    source: str,
    *,
    output: Path,
    weights: str,
    half: bool,
    delta_from: str | None,
    base: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write SOURCE (any network file, run folder, RUN@KIMG or name) for others.

    A delta holds bent minus base in half precision: small, and without the base's weights. Whoever has the base uses
    it like any network; it is found by its name, beside the delta, through BEND_BASE or --base, and its weights are
    verified.

    Example: bend models export runs/00000-rocks-faces64@8 -o rocks.safetensors --delta-from faces64
    """
    from bend.models.outgoing import Order, write

    with usage_errors():
        order = Order(
            source=source,
            output=output,
            base=base,
            weights=weights,
            half=half,
            delta_from=delta_from,
            force=force,
        )
    echo_written(write(order), as_json)
