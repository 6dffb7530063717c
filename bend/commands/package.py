"""`bend package`: pictures and videos to a data-set zip, or a zip checked."""

import json
from pathlib import Path
from typing import Any

import click

from bend.options.cluster import engine_options
from bend.options.records import Decorator, field_option, usage_errors
from bend.options.shared import echo_lines, force_option, json_option, output_option
from bend.options.stored import StoreCommand
from bend.prepare.config import COLOURS, CROP_NAMES, DEDUPES, PackageConfig

__all__ = ["package"]


def _option(field: str, help_text: str, **settings: Any) -> Decorator:
    """An option that is named and defaulted as a field of `PackageConfig` is."""
    return field_option(PackageConfig, f"--{field.replace('_', '-')}", field, help_text, **settings)


@click.command(cls=StoreCommand, roles={"sources": "input", "out": "output"})
@click.argument("sources", nargs=-1, required=True, metavar="SRC...", type=click.Path(path_type=Path))
@output_option("The zip to make.", "--out", required=False, metavar="OUT.zip")
@click.option("--resolution", type=int, metavar="PX", help="Side of the images: a power of two.")
@_option("crop", f"{', '.join(CROP_NAMES)}, or tiles:N: N squares out of each picture.", metavar="HOW")
@_option("labels_from_folders", "One class per folder, for a conditional network.", is_flag=True)
@_option("max_images", "Stop at N images, from pictures drawn at random.", type=int, metavar="N")
@_option("every", "Seconds from one frame of a video to the next.", type=float, metavar="SECONDS")
@_option("max_frames", "Frames of a video at most, spread over its length.", type=int, metavar="N")
@_option("split", "A second zip, OUT-NAME.zip, with that share.", metavar="NAME:SHARE", multiple=True)
@_option(
    "shard_size", "Several zips, OUT-00000-of-00004.zip and so on, of N images each.", type=int, metavar="N"
)
@_option("seed", "Seed of the tiles' positions, the draw and the split.", type=int)
@_option("workers", "Processes; one per core if left out.", type=int, metavar="N")
@_option("background", "Colour behind transparency and around fit.")
@click.option("--animated", type=click.Choice(["first"]), help="Take the first frame of animations.")
@_option("colour", "Three channels or one.", type=click.Choice(COLOURS))
@_option("dedupe", "Refuse repeats: the same bytes, or nearly the same looks.", type=click.Choice(DEDUPES))
@_option("min_size", "Refuse smaller pictures; half the resolution if left out.", type=int, metavar="PX")
@_option("min_aspect", "Refuse pictures that are narrower: width over height.", type=float, metavar="RATIO")
@_option("max_aspect", "Refuse pictures that are wider: width over height.", type=float, metavar="RATIO")
@engine_options
@force_option
@click.option("--check", is_flag=True, help="Read zips as a trainer would, and name every fault.")
@json_option
@click.pass_context
def package(
    ctx: click.Context,
    sources: tuple[Path, ...],
    *,
    out: Path | None,
    resolution: int | None,
    animated: str | None,
    engine: str,
    address: str | None,
    check: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Turn folders, zips, pictures and videos into a StyleGAN-format zip, or check one.

    Example: bend package photos -o rocks.zip --resolution 256 --crop tiles:16
    """
    if check:
        if out is not None:
            raise click.UsageError("--check reads zips and writes none; leave out -o.")
        from bend.prepare.checking import check_zips, fault_facts, fault_lines

        faults = check_zips(sources)
        echo_lines([json.dumps(fault_facts(faults))] if as_json else fault_lines(faults))
        ctx.exit(int(any(faults.values())))
    if out is None or resolution is None:
        raise click.UsageError("-o OUT.zip and --resolution PX are needed (or --check to check a zip).")
    from bend.engines import package_on_engine

    with usage_errors():
        config = PackageConfig(
            sources=sources, out=out, resolution=resolution, animated=animated == "first", **settings
        )
    report = package_on_engine(engine, address, config)
    echo_lines(json.dumps(report.to_json(), indent=2).splitlines() if as_json else report.lines())
