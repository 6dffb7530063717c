"""Options that several commands share, and the summary line they end with."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from bend.config import DEVICES, RenderConfig
from bend.options.records import Decorator, default_of, option_group
from bend.options.types import FINITE, GRID, SEEDS
from stylegan.printable import printable

__all__ = [
    "device_option",
    "echo_lines",
    "echo_report",
    "ends_options",
    "force_option",
    "grid_option",
    "json_option",
    "output_option",
    "seeds_option",
]


class _OutputOption(click.Option):
    """`-o`, `--output` or `--out`; help shows the one that the command chose."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        super().add_to_parser(parser, ctx)
        parser.add_option(self, sorted({"--output", "--out"}.difference(self.opts)), dest=self.name)


def output_option(help_text: str, flag: str = "--output", **settings: Any) -> Decorator:
    """`-o`, required unless it has a default or `required=False`."""
    usual = {"required": "default" not in settings, "type": click.Path(path_type=Path), "metavar": "PATH"}
    return click.option(
        "-o", flag, cls=_OutputOption, show_default=True, help=help_text, **(usual | settings)
    )


def seeds_option(help_text: str) -> Decorator:
    """`--seeds`; None if not given."""
    return click.option("--seeds", type=SEEDS, metavar="0-31,77", help=help_text)


def grid_option(help_text: str, default: tuple[int, int] | None = None) -> Decorator:
    """`--grid 4x2`."""
    shown = f"{default[0]}x{default[1]}" if default else None
    return click.option(
        "--grid", type=GRID, metavar="4x2", default=shown, show_default=shown is not None, help=help_text
    )


def device_option(default: str = default_of(RenderConfig, "device")) -> Decorator:
    """`--device`."""
    return click.option(
        "--device", type=click.Choice(DEVICES), default=default, show_default=True, help="Where to compute."
    )


def _shares(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    return None if value is None else tuple(FINITE.convert(part, param, ctx) for part in value.split(","))


ends_options = option_group(
    click.option("--from", "base", required=True, metavar="NETWORK", help="The network at 0."),
    click.option(
        "--to",
        "bents",
        multiple=True,
        required=True,
        metavar="NETWORK",
        help="The network at 1; several are mixed.",
    ),
    click.option(
        "--mix",
        "shares",
        callback=_shares,
        metavar="0.6,0.4",
        help="Shares of several --to; equal ones if left out.",
    ),
)

force_option = click.option("--force", is_flag=True, help="Overwrite what is there.")

json_option = click.option("--json", "as_json", is_flag=True, help="Report as JSON.")


def echo_lines(lines: Iterable[str]) -> None:
    """Print lines, with control characters in them made harmless, since they may quote strangers' text."""
    click.echo("\n".join(map(printable, lines)))


def echo_report(report: Any, as_json: bool) -> None:
    """Print the result of a render (`bend.picture.Rendered`): one line, or JSON."""
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(report), "output": str(report.output)}))
        return
    size = "" if report.size is None else f", {report.size[0]}×{report.size[1]}"
    kept = report.num_pictures - report.num_drawn
    already = f", {kept} already there" if kept else ""
    noun = "picture" if report.num_pictures == 1 else "pictures"
    click.echo(f"{report.output}: {report.num_pictures} {noun}{size}{already}")
