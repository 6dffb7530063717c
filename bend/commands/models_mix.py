"""`bend models mix`: make one network of several, layer by layer."""

import dataclasses
import json
from pathlib import Path

import click

from bend.errors import SettingsError
from bend.options.records import usage_errors
from bend.options.shared import ends_options, force_option, json_option, output_option
from bend.options.stored import StoreCommand

__all__ = ["mix"]


@click.command(cls=StoreCommand, roles={"base": "network", "bents": "network", "output": "output"})
@ends_options
@click.option("--amount", default="0.5", show_default=True, help="A number, or by layer: b4=0,b64=1.")
@click.option(
    "--swap", type=int, metavar="RES", help="Bent from this resolution up, base below; with --amount 1."
)
@click.option("--logistic", metavar="RES:OCTAVES", help="The same with a smooth transition: 16:0.5.")
@output_option("A .safetensors file.")
@force_option
@json_option
def mix(
    *,
    base: str,
    bents: tuple[str, ...],
    shares: tuple[float, ...] | None,
    amount: str,
    swap: int | None,
    logistic: str | None,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Mix a base and what it was bent to into one network.

    Example: bend models mix --from faces64 --to runs/00000-rocks-faces64@2 --amount b4=0,b64=1 -o mixed.safetensors
    """
    from bend.dial.amount import parse_amount, parse_logistic
    from bend.dial.mixed_network import mix_networks

    with usage_errors():
        passage = None if logistic is None else parse_logistic(logistic)
        try:
            turned = parse_amount(amount)
            fault = "is not a fixed mix" if turned.varies else None
        except SettingsError as error:
            fault = str(error).partition(";")[0]  # what mends it may be for films
        if fault:
            raise SettingsError(f"--amount {amount}: {fault}; write a number, or b4=0,b64=1")
        turned = dataclasses.replace(turned, swap=swap, logistic=passage)
    mixed = mix_networks(base, bents, turned, output, shares=shares, force=force)
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(mixed), "output": str(mixed.output)}))
    else:
        click.echo(f"{mixed.output}: {', '.join(mixed.networks)} of {' + '.join((mixed.base, *mixed.bents))}")
