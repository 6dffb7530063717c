"""Parsers of what people type, and the command line as it is remembered."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bend.config import FilmConfig, PlaneConfig, RenderConfig, WalkConfig
from bend.options.records import default_of
from bend.options.render import film_options, plane_options, render_options, walk_options
from bend.options.shared import (
    echo_report,
    force_option,
    grid_option,
    json_option,
    output_option,
    seeds_option,
)
from bend.options.typed import RenderCommand, typed_command
from bend.options.types import FINITE, GRID, SEEDS, SIZE
from bend.picture import Rendered


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("7", (7,)),
        ("0-3,77", (0, 1, 2, 3, 77)),
        (" 1 , 3 - 4 ", (1, 3, 4)),
        ("5,5", (5, 5)),
        ("4294967295", (2**32 - 1,)),
    ],
)
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    assert SEEDS.convert(text, None, None) == seeds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a seed"),
        ("a", "not a seed"),
        ("1,,2", "not a seed"),
        ("-1", "not a seed"),
        ("1.5", "not a seed"),
        ("٣", "not a seed"),
        ("3-1", "write 1-3"),
        ("4294967296", "seeds end at 4294967295"),
        ("0-4294967295", "more than 1000000"),
    ],
)
def test_nonsense_seeds(text: str, message: str) -> None:
    with pytest.raises(click.BadParameter, match=message):
        SEEDS.convert(text, None, None)


@pytest.mark.parametrize(
    ("option", "message"), [(GRID, "more than 9999 columns or rows"), (SIZE, "more than 99999 pixels a side")]
)
def test_what_is_too_many_is_told_the_limit(option: click.ParamType, message: str) -> None:
    with pytest.raises(click.BadParameter, match=message):
        option.convert("100000x2", None, None)


@pytest.mark.parametrize(("shown", "other"), [("--output", "--out"), ("--out", "--output")])
def test_the_output_goes_by_either_long_name(shown: str, other: str) -> None:
    @click.command()
    @output_option("Where to.", shown)
    def work(**given: Path) -> None:
        click.echo(next(iter(given.items())))

    for flag in ("-o", "--output", "--out"):
        done = CliRunner().invoke(work, [flag, "a.png"])
        assert done.output.startswith(f"('{shown[2:]}', "), done.output
        assert "a.png" in done.output
    assert f"{other} " not in CliRunner().invoke(work, ["--help"]).output


@pytest.mark.parametrize(("text", "grid"), [("4x2", (4, 2)), ("1x1", (1, 1)), ("10×3", (10, 3))])
def test_grid(text: str, grid: tuple[int, int]) -> None:
    assert GRID.convert(text, None, None) == grid


@pytest.mark.parametrize("text", ["4", "0x2", "4x", "x2", "4x2x1", "-1x2", "axb"])
def test_nonsense_grid(text: str) -> None:
    with pytest.raises(click.BadParameter, match="write columns x rows"):
        GRID.convert(text, None, None)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "x", "", "1e300"])
def test_numbers_are_finite(text: str) -> None:
    with pytest.raises(click.BadParameter):
        FINITE.convert(text, None, None)
    assert FINITE.convert("-0.5", None, None) == -0.5


@click.command("walk", cls=RenderCommand)
@seeds_option("Seeds.")
@walk_options
@film_options
@output_option("Where.")
@render_options
@force_option
@json_option
def walk_command(**values: object) -> None:
    click.echo(typed_command())
    click.echo(repr([values["config"], values["walk"], values["film"]]))


def echoed(*args: str) -> list[str]:
    result = CliRunner().invoke(walk_command, args, prog_name="bend")
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_defaults_are_the_records() -> None:
    assert echoed("-o", "x")[1] == repr([RenderConfig(), WalkConfig(), FilmConfig()])


def test_values_reach_the_records() -> None:
    line = "--trunc 0.5 --class 3 --path noise --grid 2x3 --loop --fps 30 --batch 2 --space w -o x"
    config = RenderConfig(trunc=0.5, class_index=3, batch=2)
    walk = WalkConfig(path="noise", grid=(2, 3), loop=True, space="w")
    assert echoed(*line.split())[1] == repr([config, walk, FilmConfig(fps=30.0)])


def test_command_is_remembered_less_its_output() -> None:
    line = echoed(
        "--seeds=0-3", "-o", "/home/me/x", "--trunc", "-1", "--force", "--network", "a b", "--loop", "--json"
    )
    assert line[0] == "bend --seeds 0-3 --trunc -1 --network 'a b' --loop"


def test_plane_and_optional_grid() -> None:
    @click.command()
    @plane_options
    def plane_command(plane: PlaneConfig) -> None:
        click.echo(repr(plane))

    @click.command()
    @grid_option("Grid.")
    def grid_command(grid: tuple[int, int] | None) -> None:
        click.echo(repr(grid))

    assert CliRunner().invoke(plane_command, []).output.strip() == repr(PlaneConfig())
    assert CliRunner().invoke(grid_command, []).output.strip() == "None"
    shown = CliRunner().invoke(plane_command, ["--help"]).output
    assert "[default: 9x9]" in " ".join(shown.split())


def test_default_of() -> None:
    assert default_of(RenderConfig, "network") == "faces64"


def test_report(capsys: pytest.CaptureFixture[str]) -> None:
    report = Rendered(output=Path("out"), num_pictures=8, num_drawn=3, size=(16, 16))
    echo_report(report, as_json=False)
    assert capsys.readouterr().out == "out: 8 pictures, 16×16, 5 already there\n"
    echo_report(report, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "output": "out",
        "num_pictures": 8,
        "num_drawn": 3,
        "size": [16, 16],
    }
