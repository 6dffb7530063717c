"""`bend scrape`: search, download and check pictures, with their licences."""

import json
from pathlib import Path
from typing import Any

import click

from bend.options.cluster import engine_options
from bend.options.scrape import network_options, output_options, picture_options, run_options

__all__ = ["scrape"]


@click.command()
@click.argument("queries", nargs=-1, metavar="QUERY...")
@output_options
@picture_options
@network_options
@engine_options
@run_options
def scrape(
    queries: tuple[str, ...],
    *,
    out: Path | None,
    zip_path: Path | None,
    resolution: int | None,
    force: bool,
    engine: str,
    address: str | None,
    dry_run: bool,
    list_sources: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Search and download pictures, with the licence and creator of each; run it again to continue.

    Example: bend scrape "mossy rocks" bark -o rocks --count 300 --contact me@example.org
    """
    from bend import gather

    if list_sources:
        found = gather.describe_sources(as_json)
        click.echo(json.dumps(found, indent=2) if as_json else "\n\n".join(found))
        return
    if not queries or out is None:
        raise click.UsageError("QUERY and -o DIR are needed (or --list-sources).")
    if (zip_path is None) != (resolution is None):
        raise click.UsageError("--zip OUT.zip and --resolution PX go together.")
    try:
        config = gather.plan_scrape(queries, out=out, **settings)
        zip_config = None
        if zip_path is not None and resolution is not None:
            zip_config = gather.plan_zip(out, zip_path, resolution, force=force)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    if dry_run and as_json:
        click.echo(json.dumps(gather.dry_record(config), indent=2))
        return
    if dry_run:
        for line in gather.run_dry(config):
            click.echo(line)
        return
    done = gather.run_scrape(config, zip_config, engine=engine, address=address)
    click.echo(json.dumps(done.record, indent=2) if as_json else "\n".join(done.lines))
