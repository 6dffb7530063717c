"""`bend demo`: the whole pipeline, offline."""

from pathlib import Path

import click

from bend.options.records import usage_errors
from bend.options.shared import device_option, output_option

__all__ = ["demo"]


@click.command()
@output_option(
    "Folder for everything it makes; an unfinished demo in it is continued.",
    default=Path("demo"),
    metavar="DIR",
)
@click.option(
    "--kimg",
    type=float,
    default=6.0,
    show_default=True,
    help="Length of the training in thousands of pictures.",
)
@device_option()
@click.pass_context
def demo(ctx: click.Context, output: Path, kimg: float, device: str) -> None:
    """Bend the embedded face generator with bundled photos of rock, trees and leaves, and show what happened.

    Example: bend demo -o demo
    """
    from bend.demo.run import DemoConfig, run_demo

    with usage_errors():
        config = DemoConfig(output=output, kimg=kimg, device=device)
    report = run_demo(config, lambda line: click.echo(line, err=True))
    if report.stopped_by is not None:
        click.echo(f"{report.run}: interrupted; the same command continues it")
        ctx.exit(128 + report.stopped_by)
    click.echo(f"{report.page}: open it in a browser")
