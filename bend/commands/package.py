"""`bend package`: pictures to a data-set zip, or a zip checked."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from bend.options import default_of, force_option, json_option
from bend.prepare.config import COLOURS, CROP_NAMES, DEDUPES, PackageConfig

__all__ = ["package"]


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SRC...", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="The zip to make.")
@click.option("--resolution", type=int, metavar="PX", help="Side of the images: a power of two.")
@click.option(
    "--crop",
    default=default_of(PackageConfig, "crop"),
    show_default=True,
    metavar="HOW",
    help=f"{', '.join(CROP_NAMES)}, or tiles:N for N squares out of each picture.",
)
@click.option("--labels-from-folders", is_flag=True, help="One class a folder, for a conditional network.")
@click.option("--max-images", type=int, metavar="N", help="Stop at N images, from pictures drawn at random.")
@click.option(
    "--seed",
    default=default_of(PackageConfig, "seed"),
    show_default=True,
    help="Seed of the tiles and the draw.",
)
@click.option("--workers", type=int, metavar="N", help="Processes; one a core if not given.")
@click.option(
    "--background",
    default=default_of(PackageConfig, "background"),
    show_default=True,
    help="Behind transparency and around fit.",
)
@click.option("--animated", type=click.Choice(["first"]), help="Take the first frame of animations.")
@click.option(
    "--colour",
    type=click.Choice(COLOURS),
    default=default_of(PackageConfig, "colour"),
    show_default=True,
    help="Three channels or one.",
)
@click.option(
    "--dedupe",
    type=click.Choice(DEDUPES),
    default=default_of(PackageConfig, "dedupe"),
    show_default=True,
    help="Refuse pictures already met: the same bytes, or nearly the same looks.",
)
@click.option(
    "--min-size", type=int, metavar="PX", help="Refuse smaller pictures; half the resolution if not given."
)
@force_option
@click.option(
    "--check", is_flag=True, help="Read SRC, data-set zips, as a trainer would, and name every fault."
)
@json_option
@click.pass_context
def package(
    ctx: click.Context,
    sources: tuple[Path, ...],
    *,
    out: Path | None,
    resolution: int | None,
    animated: str | None,
    check: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Turn folders, zips and pictures into a StyleGAN-format zip, or check one.

    Example: bend package photos -o rocks.zip --resolution 256 --crop tiles:16
    """
    if check:
        if out is not None:
            raise click.UsageError("--check reads zips and writes none; leave out -o.")
        ctx.exit(_check(sources, as_json))
    if out is None or resolution is None:
        raise click.UsageError("-o OUT.zip and --resolution PX are needed (or --check to check a zip).")
    from bend import prepare

    config = PackageConfig(
        sources=sources, out=out, resolution=resolution, animated=animated == "first", **settings
    )
    report = prepare.package(config)
    click.echo(json.dumps(report.to_json(), indent=2) if as_json else "\n".join(report.lines()))


def _check(paths: tuple[Path, ...], as_json: bool) -> int:
    from stylegan.archive import check_archive

    faults = {str(path): check_archive(path) for path in paths}
    if as_json:
        click.echo(
            json.dumps(
                {path: [dataclasses.asdict(fault) for fault in found] for path, found in faults.items()}
            )
        )
    else:
        for path, found in faults.items():
            click.echo("\n".join(f"{path}: {fault}" for fault in found) or f"{path}: sound")
    return int(any(faults.values()))
