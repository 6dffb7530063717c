"""`bend models convert`: write a network in another format."""

from pathlib import Path

import click

from bend.options.models import base_option, echo_written
from bend.options.shared import force_option, json_option
from bend.options.stored import StoreCommand

__all__ = ["convert"]


@click.command(cls=StoreCommand, roles={"source": "network", "base": "network", "output": "output"})
@click.argument("source")
@click.argument("output", type=click.Path(path_type=Path))
@base_option
@force_option
@json_option
def convert(source: str, output: Path, *, base: str | None, force: bool, as_json: bool) -> None:
    """Write SOURCE (any network file, run folder, RUN@KIMG or name) as OUTPUT, in the format of its ending.

    .safetensors is ours, .pkl what the official tools open, .pt rosinality's, .onnx two graphs (mapping and synthesis)
    for other runtimes. What a format cannot carry is reported.

    Example: bend models convert faces64 faces64.pkl
    """
    from bend.models.outgoing import Order, write

    order = Order(source=source, output=output, base=base, force=force)
    echo_written(write(order), as_json)
