"""Planes of any two axes: each cell is what its column and row say."""

from pathlib import Path

import numpy as np
import pytest

from bend.config import PlaneConfig, RenderConfig
from bend.errors import SettingsError
from bend.render import images
from bend.renders.plane import parse_axis, render_plane
from tests.bend.pixels import pixels
from tests.bend.runs import drawn_at, write_run
from tests.bend.tiny import tiny_generator

SIDE = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("plane"), (0.0, 0.5, 1.0), (0, 1, 4))


def cells(path: Path) -> np.ndarray:
    """`[rows, columns, H, W, 3]`."""
    sheet = pixels(path)
    rows, columns = sheet.shape[0] // SIDE, sheet.shape[1] // SIDE
    return sheet.reshape(rows, SIDE, columns, SIDE, 3).swapaxes(1, 2)


@pytest.mark.parametrize("noise_mode", ["const", "random", "none"])
def test_plane_has_the_seeds_in_its_corners(tiny_network: Path, tmp_path: Path, noise_mode: str) -> None:
    config = RenderConfig(network=str(tiny_network), device="cpu", noise_mode=noise_mode)
    report = render_plane(config, PlaneConfig(grid=(4, 3)), (7, 8, 9), tmp_path / "map.png")
    assert report.size == (64, 48)
    drawn = cells(tmp_path / "map.png")
    a, b, c = images(tiny_generator(), [7, 8, 9], noise_mode=noise_mode)
    assert np.abs(drawn[0, 0] - a).max() <= 1
    if noise_mode != "random":
        assert np.abs(drawn[0, -1] - b).max() <= 1
        assert np.abs(drawn[-1, 0] - c).max() <= 1


def test_training_time_against_truncation(folder: Path, tmp_path: Path) -> None:
    config = RenderConfig(network=str(folder), weights="raw", device="cpu")
    plane = PlaneConfig(grid=(5, 2), x="kimg", y="trunc=0.5..1")
    render_plane(config, plane, (3,), tmp_path / "plane.png")
    drawn = cells(tmp_path / "plane.png")
    for column, share in enumerate((0, 0.25, 0.5, 0.75, 1)):  # spaced as the snapshots are
        for row, psi in enumerate((0.5, 1)):
            assert np.abs(drawn[row, column] - drawn_at(share, 3, psi=psi)).max() <= 1


def test_the_dial_against_seeds(folder: Path, tmp_path: Path) -> None:
    config = RenderConfig(network=f"{folder}@4", weights="raw", device="cpu", dial_from=f"{folder}@0")
    render_plane(
        config, PlaneConfig(grid=(2, 3), x="seeds", y="dial=-0.5..1.5"), (3, 4), tmp_path / "plane.png"
    )
    drawn = cells(tmp_path / "plane.png")
    for row, share in enumerate((-0.5, 0.5, 1.5)):
        for column, seed in enumerate((3, 4)):
            assert np.abs(drawn[row, column] - drawn_at(share, seed)).max() <= 1


def test_training_time_against_the_dial(folder: Path, tmp_path: Path) -> None:
    config = RenderConfig(network=str(folder), weights="raw", device="cpu", dial_from=f"{folder}@0")
    render_plane(config, PlaneConfig(grid=(2, 2), x="kimg=1..4", y="dial=0..1"), (3,), tmp_path / "plane.png")
    drawn = cells(tmp_path / "plane.png")
    for column, there in enumerate((0.5, 1.0)):
        for row, turned in enumerate((0, 1)):
            assert np.abs(drawn[row, column] - drawn_at(there * turned, 3)).max() <= 1


def test_a_direction_against_training_time(folder: Path, tmp_path: Path) -> None:
    config = RenderConfig(network=str(folder), weights="raw", device="cpu")
    render_plane(config, PlaneConfig(grid=(3, 2), x="sefa:0=-2..2", y="kimg"), (3,), tmp_path / "plane.png")
    drawn = cells(tmp_path / "plane.png")
    assert np.abs(drawn[0, 1] - drawn_at(0, 3)).max() <= 1  # no shift in the middle
    assert np.abs(drawn[1, 1] - drawn_at(1, 3)).max() <= 1
    assert np.abs(drawn[0, 0] - drawn[0, 2]).max() > 5


def test_same_work_same_bytes(folder: Path, tmp_path: Path) -> None:
    config = RenderConfig(network=str(folder), device="cpu")
    for name in ("a", "b"):
        render_plane(config, PlaneConfig(grid=(3, 2), x="kimg", y="trunc"), None, tmp_path / f"{name}.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("x", "y", "seeds", "settings", "says"),
    [
        ("seeds", "seeds", (1, 2), {}, "names 2, give three"),
        ("kimg", "seeds", (1,), {}, "names 1, give two"),
        ("kimg", "kimg", (1,), {}, "both axes are kimg"),
        ("dial", "trunc", None, {}, "--dial-from"),
        ("colour", "trunc", None, {}, "--x colour: 'colour' is not an axis; choose from seeds, "),
        (
            "trunc",
            "tunc=0..1",
            None,
            {},
            "--y tunc=0..1: 'tunc' is not an axis; the nearest is trunc; choose from seeds, ",
        ),
        ("foo=1..2", "trunc", None, {}, "--x foo=1..2: 'foo' is not an axis"),
        ("sefa:-1", "trunc", None, {}, "--x sefa:-1: -1 is not an index"),
        ("trunc=0", "kimg", None, {}, "not a range"),
        ("kimg", "trunc", None, {"kimg": "1"}, "--kimg 1"),
        (
            "seeds",
            "trunc",
            None,
            {"trunc": "lfo(sine,0..1,4s)"},
            r"--trunc lfo.*: an axis sets it; leave it out",
        ),
        ("dial", "seeds", None, {"dial_from": "faces64", "dial": "0.3"}, "--dial 0.3: an axis sets it"),
        ("dial", "trunc", None, {"kimg": "0s:0,1s:4", "dial_from": "none"}, "--kimg 0s:0,1s:4 varies"),
        ("kimg=0..99", "trunc", None, {}, "kimg 99: .* goes from 0 to 4 kimg"),
        ("sefa:99", "trunc", None, {}, "^sefa:99: sefa has 32 directions"),
    ],
)
def test_what_is_no_plane(
    folder: Path,
    tmp_path: Path,
    x: str,
    y: str,
    seeds: tuple[int, ...] | None,
    settings: dict[str, str],
    says: str,
) -> None:
    config = RenderConfig(network=str(folder), device="cpu", **settings)
    with pytest.raises(SettingsError, match=says):
        render_plane(config, PlaneConfig(grid=(2, 2), x=x, y=y), seeds, tmp_path / "plane.png")
    assert not (tmp_path / "plane.png").exists()


def test_time_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no snapshots"):
        render_plane(RenderConfig(), PlaneConfig(x="kimg"), (1, 2), tmp_path / "plane.png")


def test_axes_know_their_ends() -> None:
    assert parse_axis("trunc").values(3, 0.0, []) == [0, 0.5, 1]
    assert parse_axis("seeds").values(3, 0.5, []) == [-0.5, 0.5, 1.5]
    assert parse_axis("kimg").values(3, 0.0, [0, 1, 4]) == [0, 1, 4]
    assert parse_axis("kimg=1..4").values(2, 0.0, [0, 1, 4]) == [1, 4]
    assert parse_axis("smile.npz").is_direction
