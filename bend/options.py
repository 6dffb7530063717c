"""Options and parsers that several commands share, and the summary line they end with.

A group of options belongs to one frozen record of `bend.config`: it takes its defaults there, and hands its
values over as that record. Nothing here imports torch, so that `bend render --help` stays quick.
"""

import contextlib
import dataclasses
import functools
import json
import math
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

import click
from click.core import ParameterSource

from bend.config import (
    DEVICES,
    EXTENSIONS,
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
from bend.errors import BendError
from bend.network_bending import expand
from stylegan.errors import StyleganError

__all__ = [
    "COMMAND_LINE",
    "GRID",
    "OVER_TIME",
    "SEEDS",
    "SIZE",
    "RenderCommand",
    "checked_records",
    "default_of",
    "device_option",
    "echo_report",
    "film_options",
    "force_option",
    "given_options",
    "grid_option",
    "json_option",
    "output_option",
    "plane_options",
    "project_options",
    "render_options",
    "seeds_option",
    "shares_option",
    "style_mix_options",
    "truncation_options",
    "typed_command",
    "usage_errors",
    "walk_options",
]

Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

_MOST_SEEDS = 1_000_000
COMMAND_LINE = "bend.typed_command"
"""Where a context keeps it; see `typed_command`."""
_RECORDS = "records"
# Where the output goes is not part of the work, see `bend.provenance`.
_NOT_RECORDED = ("output", "force", "as_json")


class RenderCommand(click.Command):
    """A command that remembers how it was typed, for the provenance; see `typed_command`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        typed, _, order = self.make_parser(ctx).parse_args(args=list(args))
        words = ctx.command_path.split()
        for param in dict.fromkeys(order):
            if param.name in typed and param.name not in _NOT_RECORDED:
                words += _spelled(param, typed[param.name])
        ctx.meta[COMMAND_LINE] = shlex.join(words)
        return super().parse_args(ctx, args)


def typed_command() -> str:
    """The command line of the running `RenderCommand`, less where its output goes; of a replay, the replayed one."""
    context = click.get_current_context()
    return str((context.obj or {}).get(COMMAND_LINE) or context.meta[COMMAND_LINE])


def given_options(command: click.Command, words: list[str]) -> dict[str, Any]:
    """The options of a command line by parameter, as they are typed.

    Raises:
        click.UsageError: the command does not know them.
    """
    context = click.Context(command, info_name=command.name)
    typed, left, order = command.make_parser(context).parse_args(args=list(words))
    if left:
        raise click.UsageError(f"unexpected {left[0]!r}")
    return {param.name: typed[param.name] for param in dict.fromkeys(order) if param.name in typed}


class SeedsType(click.ParamType):
    """`0-31,77` -> the seeds in that order."""

    name = "seeds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        seeds: list[int] = []
        for part in str(value).split(","):
            match = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", part, re.ASCII)
            if match is None:
                self.fail(f"{value!r}: {part!r} is no seed or range; write 0-31,77", param, ctx)
            first, last = int(match[1]), int(match[2] or match[1])
            if max(first, last) >= 2**32:
                self.fail(f"{value!r}: seeds end at {2**32 - 1}", param, ctx)
            if last < first:
                self.fail(f"{value!r}: {part.strip()} runs backwards; write {last}-{first}", param, ctx)
            if len(seeds) + last - first >= _MOST_SEEDS:
                self.fail(f"{value!r}: more than {_MOST_SEEDS} seeds", param, ctx)
            seeds.extend(range(first, last + 1))
        return tuple(seeds)


class GridType(click.ParamType):
    """`4x2` -> 4 columns, 2 rows."""

    name = "COLUMNSxROWS"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([1-9]\d{0,3})[x×]([1-9]\d{0,3})", str(value), re.ASCII)
        if match is None:
            self.fail(f"{value!r} is no grid; write columns x rows, such as 4x2", param, ctx)
        return int(match[1]), int(match[2])


class FiniteType(click.ParamType):
    """A finite number; click's own float lets nan and inf pass."""

    name = "float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is no number", param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not finite", param, ctx)
        return number


class OverTimeType(click.ParamType):
    """A number, or a parameter over time as `bend.automation` reads it, in its own spelling."""

    name = "number or automation"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        with contextlib.suppress(ValueError):
            return FINITE.convert(float(value), param, ctx)
        from bend.automation import parse

        try:
            return str(parse(str(value)))
        except BendError as error:
            self.fail(str(error), param, ctx)


class SizeType(click.ParamType):
    """`1024x512` -> 1024 wide, 512 high."""

    name = "WIDTHxHEIGHT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([1-9]\d{0,4})[x×]([1-9]\d{0,4})", str(value), re.ASCII)
        if match is None:
            self.fail(f"{value!r} is no size; write width x height in pixels, such as 1024x512", param, ctx)
        return int(match[1]), int(match[2])


OVER_TIME = OverTimeType()
SIZE = SizeType()
SEEDS = SeedsType()
GRID = GridType()
FINITE = FiniteType()


def default_of(config_type: type, name: str) -> Any:
    """The default of a record's field."""
    return next(field.default for field in dataclasses.fields(config_type) if field.name == name)


def output_option(help_text: str) -> Decorator:
    """`-o`, required."""
    return click.option(
        "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="PATH", help=help_text
    )


def seeds_option(help_text: str) -> Decorator:
    """`--seeds`, None where nobody says."""
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


shares_option = click.option(
    "--mix",
    "shares",
    callback=_shares,
    metavar="0.6,0.4",
    help="Shares of several --to; equal ones if left out.",
)
force_option = click.option("--force", is_flag=True, help="Write over what is there.")
json_option = click.option("--json", "as_json", is_flag=True, help="Report as JSON.")


class _RefusalError(click.UsageError):
    """A usage error told in one line, since the message itself says what to type."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"Error: {self.format_message()}", file=file, err=file is None)


def _for(config_type: type, keyword: str, *options: Decorator) -> Decorator:
    """Decorate a command with options, and hand their values over as one record called `keyword`."""
    names = [field.name for field in dataclasses.fields(config_type)]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def gathered(*args: Any, **values: Any) -> Any:
            with usage_errors():
                record = config_type(**{name: values.pop(name) for name in names if name in values})
            return function(*args, **{keyword: record}, **values)

        setattr(gathered, _RECORDS, [*getattr(function, _RECORDS, []), config_type])
        decorated: Callable[..., Any] = gathered
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def _option(config_type: type, flag: str, field: str, help_text: str, **settings: Any) -> Decorator:
    """An option of a record's field, with the field's default."""
    default = default_of(config_type, field)
    shown = default is not None and default != () and not settings.get("is_flag")
    return click.option(flag, field, default=default, show_default=shown, help=help_text, **settings)


def _length(ctx: click.Context, param: click.Parameter, value: float) -> float:
    """The length that was typed; else the track's, where it can be told already."""
    audio = ctx.params.get("audio")
    if audio is None or ctx.get_parameter_source("seconds") is not ParameterSource.DEFAULT:
        return value
    from bend.sound import length_of

    return length_of(Path(audio)) or value


def _expanded(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Bends with those of other programs' files in their place, so that the work stands without the files."""
    with usage_errors():
        return expand(value)


_render = functools.partial(_option, RenderConfig)
_walk = functools.partial(_option, WalkConfig)
_film = functools.partial(_option, FilmConfig)

render_options = _for(
    RenderConfig,
    "config",
    _render("--network", "network", "Network file, run folder, RUN@KIMG or name.", metavar="NETWORK"),
    _render("--weights", "weights", "Averaged or raw generator.", type=click.Choice(WEIGHTS)),
    _render(
        "--trunc",
        "trunc",
        "Truncation psi: 0 average, 1 as is, beyond 1 overdrive; may vary: lfo(sine,0..1,4s).",
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
        "--dial", "dial", "0 the base, 1 as bent, beyond overdrive; may vary: 0s:0,5s:1.", metavar="AMOUNT"
    ),
    device_option(),
    _render("--precision", "precision", "Of the highest resolutions.", type=click.Choice(PRECISIONS)),
    _render(
        "--batch", "batch", "Pictures at once; fits memory if left out.", type=click.IntRange(1), metavar="N"
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
    _render("--extend", "extend", "What --size fills the rest with.", type=click.Choice(EXTENSIONS)),
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
        "Another picture in a part: 7@left, 7@ellipse:.5,.5,.3,.4, FILE.npz@mask.png.",
        multiple=True,
        metavar="SEED@MASK",
    ),
)
"""Options of `RenderConfig`, handed over as `config`."""

walk_options = _for(
    WalkConfig,
    "walk",
    _walk("--path", "path", "How to go from seed to seed.", type=click.Choice(PATHS)),
    _walk("--space", "space", "Latent space; the path's own if left out.", type=click.Choice(SPACES)),
    _walk("--loop", "loop", "Join the end to the beginning; circle and noise always do.", is_flag=True),
    grid_option("Several walks side by side, sharing the seeds.", default_of(WalkConfig, "grid")),
    _walk("--radius", "radius", "Of a circle, relative to its centre.", type=FINITE),
    _walk("--diameter", "diameter", "Of the noise loop: more changes more.", type=FINITE),
    _walk("--amount", "amount", "How far noise strays.", type=FINITE),
    _walk("--even", "even", "Space the frames evenly in what is seen.", is_flag=True),
    _walk("--path-file", "path_file", "An .npz of w keyframes instead of seeds.", metavar="NPZ"),
)
"""Options of `WalkConfig`, handed over as `walk`."""

film_options = _for(
    FilmConfig,
    "film",
    _film(
        "--audio",
        "audio",
        "A track: an .mp4 carries it, and parameters hear it: audio(bass,0..1).",
        metavar="FILE",
        is_eager=True,
    ),
    _film("--seconds", "seconds", "Length; that of --audio if there is one.", type=FINITE, callback=_length),
    _film("--fps", "fps", "Frames a second.", type=FINITE),
    _film("--crf", "crf", "H.264 quality, 0 best to 51 worst.", type=click.IntRange(0, 51)),
)
"""Options of `FilmConfig`, handed over as `film`."""

plane_options = _for(
    PlaneConfig,
    "plane",
    grid_option("Columns and rows of the map.", default_of(PlaneConfig, "grid")),
    _option(
        PlaneConfig,
        "--x",
        "x",
        "Axis: seeds, kimg=0..4, dial=0..1, trunc=0..1, sefa:3=-3..3.",
        metavar="AXIS",
    ),
    _option(PlaneConfig, "--y", "y", "The other axis, likewise.", metavar="AXIS"),
    _option(PlaneConfig, "--extent", "extent", "How far to reach beyond the seeds.", type=FINITE),
)
"""Options of `PlaneConfig`, handed over as `plane`."""


def checked_records(command: click.Command, values: Mapping[str, Any]) -> None:
    """Build the records that a command would build of parsed values, and throw them away.

    Raises:
        BendError, StyleganError: a record refuses them.
    """
    for config_type in getattr(command.callback, _RECORDS, []):
        names = [field.name for field in dataclasses.fields(config_type)]
        config_type(**{name: values[name] for name in names if name in values})


style_mix_options = _for(
    StyleMixConfig,
    "mix",
    _option(StyleMixConfig, "--rows", "rows", "Seeds that give the rest.", type=SEEDS, metavar="0-3"),
    _option(StyleMixConfig, "--columns", "columns", "Seeds that give --layers.", type=SEEDS, metavar="4-9"),
    _option(StyleMixConfig, "--layers", "layers", "coarse, middle, fine, or a range: 0-3.", metavar="LAYERS"),
)
"""Options of `StyleMixConfig`, handed over as `mix`."""

truncation_options = _for(
    TruncationConfig,
    "sweep",
    _option(TruncationConfig, "--from", "psi_from", "Psi at the start.", type=FINITE, metavar="PSI"),
    _option(TruncationConfig, "--to", "psi_to", "Psi at the end.", type=FINITE, metavar="PSI"),
    _option(TruncationConfig, "--steps", "steps", "Columns of a sheet.", type=click.IntRange(1), metavar="N"),
    _option(TruncationConfig, "--loop", "loop", "A film goes there and back.", is_flag=True),
)
"""Options of `TruncationConfig`, handed over as `sweep`."""

_project = functools.partial(_option, ProjectConfig)

project_options = _for(
    ProjectConfig,
    "config",
    _project("--space", "space", "One w for all layers, or one a layer.", type=click.Choice(PROJECT_SPACES)),
    _project("--steps", "steps", "How long to search.", type=click.IntRange(1), metavar="N"),
    _project("--crop", "crop", "Which square of the picture.", type=click.Choice(PROJECT_CROPS)),
    _project("--seed", "seed", "Of the search's noise.", type=click.IntRange(0), metavar="N"),
    _project("--network", "network", "Network file, run folder, RUN@KIMG or name.", metavar="NETWORK"),
    _project("--weights", "weights", "Averaged or raw generator.", type=click.Choice(WEIGHTS)),
    _project(
        "--class", "class_index", "Class of a conditional network.", type=click.IntRange(0), metavar="N"
    ),
    device_option(),
)
"""Options of `ProjectConfig`, handed over as `config`."""


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Turn a record's refusal of what was typed into a usage error (exit status 2)."""
    try:
        yield
    except (BendError, StyleganError) as error:
        raise _RefusalError(str(error)) from None


def echo_report(report: Any, as_json: bool) -> None:
    """Print what a render left behind (`bend.picture.Rendered`): one line, or JSON."""
    if as_json:
        click.echo(json.dumps({**dataclasses.asdict(report), "output": str(report.output)}))
        return
    size = "" if report.size is None else f", {report.size[0]}×{report.size[1]}"
    kept = report.num_pictures - report.num_drawn
    already = f", {kept} already there" if kept else ""
    noun = "picture" if report.num_pictures == 1 else "pictures"
    click.echo(f"{report.output}: {report.num_pictures} {noun}{size}{already}")


def _spelled(param: click.Parameter, value: Any) -> list[str]:
    if isinstance(param, click.Option) and param.is_flag:
        return [param.opts[0]] if value else param.secondary_opts[:1]
    flag = max(param.opts, key=len)
    values = value if isinstance(value, (list, tuple)) else [value]
    return [word for one in values for word in (flag, str(one))]
