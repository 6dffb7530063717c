"""`bend package`: pictures and videos to a data-set zip, or a zip checked."""

import json
from pathlib import Path
from typing import Any

import click

from bend.options.cluster import engine_options
from bend.options.records import default_of, usage_errors
from bend.options.shared import echo_lines, force_option, json_option, output_option
from bend.options.stored import StoreCommand
from bend.prepare.config import COLOURS, CROP_NAMES, DEDUPES, PackageConfig

__all__ = ["package"]


def _option(name: str, kind: Any, text: str, **settings: Any) -> Any:
    """An option named and defaulted as the field of `PackageConfig` is."""
    default = default_of(PackageConfig, name)
    shown = default not in (None, ()) and kind is not bool
    flag = f"--{name.replace('_', '-')}"
    if kind is bool:
        return click.option(flag, is_flag=True, help=text)
    return click.option(flag, type=kind, default=default, show_default=shown, help=text, **settings)


@click.command(cls=StoreCommand, roles={"sources": "input", "out": "output"})
@click.argument("sources", nargs=-1, required=True, metavar="SRC...", type=click.Path(path_type=Path))
@output_option("The zip to make.", "--out", required=False, metavar="OUT.zip")
@click.option("--resolution", type=int, metavar="PX", help="Side of the images: a power of two.")
@_option("crop", str, f"{', '.join(CROP_NAMES)}, or tiles:N: N squares out of each picture.", metavar="HOW")
@_option("labels_from_folders", bool, "One class a folder, for a conditional network.")
@_option("max_images", int, "Stop at N images, of pictures drawn at random.", metavar="N")
@_option("every", float, "Seconds from one frame of a video to the next.", metavar="SECONDS")
@_option("max_frames", int, "Frames of a video at most, spread over its length.", metavar="N")
@_option("split", str, "A second zip, OUT-NAME.zip, of that share.", metavar="NAME:SHARE", multiple=True)
@_option("shard_size", int, "Several zips, OUT-00000-of-00004.zip and so on, of N images each.", metavar="N")
@_option("seed", int, "Seed of the tiles' places, of the draw and of the split.")
@_option("workers", int, "Processes; one a core if left out.", metavar="N")
@_option("background", str, "Colour behind transparency and around fit.")
@click.option("--animated", type=click.Choice(["first"]), help="Take the first frame of animations.")
@_option("colour", click.Choice(COLOURS), "Three channels or one.")
@_option("dedupe", click.Choice(DEDUPES), "Refuse what was met before: the same bytes, or nearly the looks.")
@_option("min_size", int, "Refuse smaller pictures; half the resolution if left out.", metavar="PX")
@_option("min_aspect", float, "Refuse pictures that are narrower: width over height.", metavar="RATIO")
@_option("max_aspect", float, "Refuse pictures that are wider: width over height.", metavar="RATIO")
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
