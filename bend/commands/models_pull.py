"""`bend models pull`: download a known network."""

import dataclasses
import json

import click

from bend.options.shared import force_option, json_option

__all__ = ["pull"]


@click.command()
@click.argument("name")
@click.option(
    "--max-mb",
    type=click.IntRange(1),
    default=2048,
    show_default=True,
    help="Refuse more megabytes than this.",
)
@click.option("--dry-run", is_flag=True, help="Say where from, where to and under which licence.")
@force_option
@json_option
def pull(name: str, *, max_mb: int, dry_run: bool, force: bool, as_json: bool) -> None:
    """Download the network called NAME, which --base and --network then take by name; a broken-off download continues.

    Example: bend models pull ffhq256
    """
    from bend.models.progress import progress
    from bend.models.pull import destination, find_known
    from bend.models.pull import pull as pull_network

    known, path = find_known(name), destination(name)
    if dry_run:
        facts = {**dataclasses.asdict(known), "path": str(path)}
        line = f"{known.url} -> {path}, about {known.approximate_mb} MB; licence: {known.licence}"
        click.echo(json.dumps(facts) if as_json else line)
        return
    click.echo(f"{name}: licence: {known.licence}", err=True)
    with progress(name) as on_bytes:
        pulled = pull_network(name, force=force, max_bytes=max_mb << 20, on_bytes=on_bytes)
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(pulled), "path": str(pulled.path)}))
        return
    done = "already there" if pulled.was_there else "downloaded"
    click.echo(
        f"{pulled.path}: {done}, {pulled.num_bytes / 1e6:.1f} MB, SHA-256 {pulled.sha256} "
        f"(compared with: {pulled.trust})"
    )
