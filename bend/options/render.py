"""The options of `bend render` and `bend project`, a group for each record of `bend.config`.

Nothing here imports torch, so that `bend render --help` stays quick.
"""

import dataclasses
import functools
from pathlib import Path

import click
from click.core import ParameterSource

from bend.config import (
    EXTEND_MODES,
    NOISE_MODES,
    PATHS,
    PRECISIONS,
    PROJECT_CROPS,
    PROJECT_SPACES,
    SCALE_FILTERS,
    SPACES,
    WEIGHTS,
    FilmConfig,
    PlaneConfig,
    ProjectConfig,
    RenderConfig,
    StyleMixConfig,
    TruncationConfig,
    WalkConfig,
)
from bend.network_bending import expand
from bend.options.records import default_of, field_option, record_options, usage_errors
from bend.options.shared import device_option, grid_option
from bend.options.types import FINITE, OVER_TIME, SEEDS, SIZE

__all__ = [
    "film_options",
    "plane_options",
    "project_options",
    "refuse_film_options",
    "render_options",
    "style_mix_options",
    "truncation_options",
    "walk_options",
]


def _length(ctx: click.Context, param: click.Parameter, value: float) -> float:
    """The length that was typed, or else that of the track if its header states it."""
    audio = ctx.params.get("audio")
    if audio is None or ctx.get_parameter_source("seconds") is not ParameterSource.DEFAULT:
        return value
    from bend.sound import length_of

    return length_of(Path(audio)) or value


def _expanded(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Bends with files of other programs replaced by their content, so that a replay does not need the files."""
    with usage_errors():
        return expand(value)


_render = functools.partial(field_option, RenderConfig)

_walk = functools.partial(field_option, WalkConfig)

_film = functools.partial(field_option, FilmConfig)

render_options = record_options(
    RenderConfig,
    "config",
    _render("--network", "network", "Network file, run folder, RUN@KIMG or name.", metavar="NETWORK"),
    _render("--weights", "weights", "Averaged or raw generator.", type=click.Choice(WEIGHTS)),
    _render(
        "--trunc",
        "trunc",
        "Truncation psi: 0 average, 1 as is, above 1 overdrive; may vary: lfo(sine,0..1,4s).",
        type=OVER_TIME,
        metavar="PSI",
    ),
    _render(
        "--trunc-cutoff",
        "trunc_cutoff",
        "Truncate the first N layers only.",
        type=click.IntRange(0),
        metavar="N",
    ),
    _render("--noise-mode", "noise_mode", "Noise in the layers.", type=click.Choice(NOISE_MODES)),
    _render("--class", "class_index", "Class of a conditional network.", type=click.IntRange(0), metavar="N"),
    _render("--scale", "scale", "Enlarge by a whole factor.", type=click.IntRange(1, 64), metavar="N"),
    _render("--scale-filter", "scale_filter", "How to enlarge.", type=click.Choice(SCALE_FILTERS)),
    _render(
        "--kimg",
        "kimg",
        "Moment of a run, also between snapshots; may vary: 0s:0,10s:6.",
        metavar="KIMG",
    ),
    _render("--dial-from", "dial_from", "What NETWORK was bent from: the dial's 0.", metavar="NETWORK"),
    _render(
        "--dial", "dial", "0 the base, 1 as bent, above 1 overdrive; may vary: 0s:0,5s:1.", metavar="AMOUNT"
    ),
    device_option(),
    _render(
        "--precision", "precision", "Number format at the highest resolutions.", type=click.Choice(PRECISIONS)
    ),
    _render(
        "--batch",
        "batch",
        "Pictures at once; as many as fit in memory if left out.",
        type=click.IntRange(1),
        metavar="N",
    ),
    _render(
        "--latents",
        "latents",
        "An .npz of latents (see bend project); seeds are then its rows.",
        multiple=True,
        metavar="NPZ",
    ),
    _render(
        "--direction",
        "direction",
        "Shift w: sefa:3*2.5, pca:0*-2@4-8, FILE.npz*1; amounts may vary.",
        multiple=True,
        metavar="DIRECTION",
    ),
    _render("--size", "size", "Another size and aspect, such as 1024x512.", type=SIZE, metavar="WxH"),
    _render("--extend", "extend", "What --size fills the rest with.", type=click.Choice(EXTEND_MODES)),
    _render(
        "--bend",
        "bend",
        "Bend a layer: rotate:30@b32.conv1, see docs/bends.md; or a .yaml of network-bending.",
        multiple=True,
        callback=_expanded,
        metavar="NAME:ARG@LAYER",
    ),
    _render(
        "--blend",
        "blend",
        "Another picture in part of each: 7@left, 7@ellipse:.5,.5,.3,.4, FILE.npz@mask.png.",
        multiple=True,
        metavar="SEED@MASK",
    ),
)
"""Options of `RenderConfig`, handed over as `config`."""

walk_options = record_options(
    WalkConfig,
    "walk",
    _walk("--path", "path", "How to go from seed to seed; a circle takes 2 or 3.", type=click.Choice(PATHS)),
    _walk("--space", "space", "Latent space; the path's own if left out.", type=click.Choice(SPACES)),
    _walk("--loop", "loop", "Join the end to the beginning; circle and noise always do.", is_flag=True),
    grid_option("Several walks side by side, each of as many seeds.", default_of(WalkConfig, "grid")),
    _walk("--radius", "radius", "Radius of a circle, relative to its centre.", type=FINITE),
    _walk("--diameter", "diameter", "Diameter of the noise loop: a larger one changes more.", type=FINITE),
    _walk("--amount", "amount", "How far noise strays.", type=FINITE),
    _walk("--even", "even", "Space the frames evenly by what is seen.", is_flag=True),
    _walk("--path-file", "path_file", "An .npz of w keyframes instead of seeds.", metavar="NPZ"),
)
"""Options of `WalkConfig`, handed over as `walk`."""

film_options = record_options(
    FilmConfig,
    "film",
    _film(
        "--audio",
        "audio",
        "Sound track of an .mp4, which parameters can follow: audio(bass,0..1).",
        metavar="FILE",
        is_eager=True,
    ),
    _film("--seconds", "seconds", "Length; that of --audio if there is one.", type=FINITE, callback=_length),
    _film("--fps", "fps", "Frames a second.", type=FINITE),
    _film("--crf", "crf", "H.264 quality, 0 best to 51 worst.", type=click.IntRange(0, 51)),
)
"""Options of `FilmConfig`, handed over as `film`."""


def refuse_film_options(*also: str) -> None:
    """Refuse options that are for films only, in a command that is about to write a sheet.

    Args:
        also: parameters of the command that are for films, besides those of `FilmConfig`.

    Raises:
        click.UsageError: the running command was given one.
    """
    context = click.get_current_context()
    films = {*also, *(field.name for field in dataclasses.fields(FilmConfig))}
    for param in context.command.params:
        source = context.get_parameter_source(param.name or "")
        if param.name in films and source is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{param.opts[0]}: is for films; leave it out, or write an .mp4")


plane_options = record_options(
    PlaneConfig,
    "plane",
    grid_option("Columns and rows of the map.", default_of(PlaneConfig, "grid")),
    field_option(
        PlaneConfig,
        "--x",
        "x",
        "Axis: seeds, kimg=0..4, dial=0..1, trunc=0..1, sefa:3=-3..3.",
        metavar="AXIS",
    ),
    field_option(PlaneConfig, "--y", "y", "The other axis, likewise.", metavar="AXIS"),
    field_option(PlaneConfig, "--extent", "extent", "How far to reach beyond the seeds.", type=FINITE),
)
"""Options of `PlaneConfig`, handed over as `plane`."""

style_mix_options = record_options(
    StyleMixConfig,
    "mix",
    field_option(StyleMixConfig, "--rows", "rows", "Seeds that give the rest.", type=SEEDS, metavar="0-3"),
    field_option(
        StyleMixConfig, "--columns", "columns", "Seeds that give --layers.", type=SEEDS, metavar="4-9"
    ),
    field_option(
        StyleMixConfig, "--layers", "layers", "coarse, middle, fine, or a range: 0-3.", metavar="LAYERS"
    ),
)
"""Options of `StyleMixConfig`, handed over as `mix`."""

truncation_options = record_options(
    TruncationConfig,
    "sweep",
    field_option(TruncationConfig, "--from", "psi_from", "Psi at the start.", type=FINITE, metavar="PSI"),
    field_option(TruncationConfig, "--to", "psi_to", "Psi at the end.", type=FINITE, metavar="PSI"),
    field_option(
        TruncationConfig, "--steps", "steps", "Columns of a sheet.", type=click.IntRange(1), metavar="N"
    ),
    field_option(TruncationConfig, "--loop", "loop", "A film goes there and back.", is_flag=True),
)
"""Options of `TruncationConfig`, handed over as `sweep`."""

_project = functools.partial(field_option, ProjectConfig)

project_options = record_options(
    ProjectConfig,
    "config",
    _project("--space", "space", "One w for all layers, or one for each.", type=click.Choice(PROJECT_SPACES)),
    _project("--steps", "steps", "How long to search.", type=click.IntRange(1), metavar="N"),
    _project("--crop", "crop", "Which square of the picture.", type=click.Choice(PROJECT_CROPS)),
    _project("--seed", "seed", "Seed of the search's noise.", type=click.IntRange(0), metavar="N"),
    _project("--network", "network", "Network file, run folder, RUN@KIMG or name.", metavar="NETWORK"),
    _project("--weights", "weights", "Averaged or raw generator.", type=click.Choice(WEIGHTS)),
    _project(
        "--class", "class_index", "Class of a conditional network.", type=click.IntRange(0), metavar="N"
    ),
    device_option(),
)
"""Options of `ProjectConfig`, handed over as `config`."""
