"""`bend ops bench`: time the native operations against the plain ones."""

import dataclasses
import json

import click

from bend.options.shared import json_option

__all__ = ["bench"]


@click.command()
@click.option(
    "--device",
    type=click.Choice(("auto", "cpu", "cuda")),
    default="auto",
    show_default=True,
    help="Where to compute.",
)
@json_option
def bench(*, device: str, as_json: bool) -> None:
    """Time each operation: plain, native, their ratio, and native as a share of the speed of copying memory.

    Compiles them first if need be.

    Example: bend ops bench
    """
    import torch

    from bend.op_timing import measure, table
    from stylegan.ops import native
    from stylegan.ops.build import build
    from stylegan.ops.toolchain import TARGETS

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    target = TARGETS[device]
    native.use(target, build(target))
    timings = measure(device)
    if as_json:
        click.echo(json.dumps([{**dataclasses.asdict(t), "ratio": t.ratio} for t in timings], indent=2))
        return
    for line in table(timings):
        click.echo(line)
