"""Jobs that make stills, from the network file to the picture on the disk."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bend.config import RenderConfig
from bend.errors import RenderError, SettingsError
from bend.provenance import read_provenance
from bend.render import images
from bend.renders import stills
from bend.renders.stills import render_grid, render_images
from tests.bend.pixels import pixels
from tests.bend.tiny import save_tiny, tiny_generator


@pytest.fixture
def config(tiny_network: Path) -> RenderConfig:
    return RenderConfig(network=str(tiny_network), device="cpu")


def test_images_are_the_seeds(config: RenderConfig, tmp_path: Path) -> None:
    report = render_images(config, [3, 12345, 3], tmp_path / "faces", command="bend render images")
    assert (report.num_pictures, report.num_drawn, report.size) == (2, 2, (16, 16))
    assert sorted(p.name for p in (tmp_path / "faces").iterdir()) == ["seed0003.png", "seed12345.png"]
    [expected] = images(tiny_generator(), [12345])
    assert np.abs(pixels(tmp_path / "faces" / "seed12345.png") - expected).max() <= 1
    note = read_provenance(tmp_path / "faces" / "seed12345.png")
    assert note is not None
    assert note.work["seed"] == 12345
    assert note.command == "bend render images"


def test_images_are_taken_up_again(config: RenderConfig, tmp_path: Path) -> None:
    render_images(config, range(5), tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for seed in (1, 3):
        (tmp_path / f"seed{seed:04d}.png").unlink()
    assert render_images(config, range(5), tmp_path).num_drawn == 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_images_of_other_work_stay_unless_forced(
    config: RenderConfig, tiny_network: Path, tmp_path: Path
) -> None:
    render_images(config, [0], tmp_path)
    before = (tmp_path / "seed0000.png").read_bytes()
    other = RenderConfig(network=str(tiny_network), device="cpu", trunc=0.5)
    with pytest.raises(RenderError, match=r"seed0000\.png exists"):
        render_images(other, [0, 1], tmp_path)
    assert (tmp_path / "seed0000.png").read_bytes() == before
    assert not (tmp_path / "seed0001.png").exists()
    assert render_images(other, [0, 1], tmp_path, force=True).num_drawn == 2
    assert (tmp_path / "seed0000.png").read_bytes() != before


def test_images_want_a_folder(config: RenderConfig, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("file", "face.png"):
        with pytest.raises(RenderError, match="folder"):
            render_images(config, [0], tmp_path / name)


def test_grid_lays_out_the_seeds(config: RenderConfig, tmp_path: Path) -> None:
    report = render_grid(config, range(6), (3, 2), tmp_path / "sheet.png")
    assert report.size == (48, 32)
    surface = pixels(tmp_path / "sheet.png")
    for seed, expected in enumerate(images(tiny_generator(), range(6))):
        row, column = divmod(seed, 3)
        tile = surface[16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
        assert np.abs(tile - expected).max() <= 1


def test_a_sheet_that_came_meanwhile_is_not_replaced(
    config: RenderConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = tmp_path / "sheet.png"

    def another_draws(*args: Any, **options: Any) -> Any:
        monkeypatch.undo()
        render_grid(config, [7], None, sheet)
        return stills.describe(*args, **options)

    monkeypatch.setattr(stills, "describe", another_draws)
    with pytest.raises(RenderError, match="made by another process in the meantime"):
        render_grid(config, [8], None, sheet)
    note = read_provenance(sheet)
    assert note is not None
    assert note.work["seeds"] == [7]


def test_grid_chooses_its_own_shape_or_its_own_seeds(config: RenderConfig, tmp_path: Path) -> None:
    assert render_grid(config, range(5), None, tmp_path / "five.png").size == (48, 32)
    assert not pixels(tmp_path / "five.png")[16:, 32:].any()
    assert render_grid(config, None, (5, 1), tmp_path / "row.webp").size == (80, 16)
    assert render_grid(config, None, None, tmp_path / "any.jpg").size == (64, 64)
    with pytest.raises(SettingsError, match=r"--grid 2x2 holds 4 pictures, --seeds names 5"):
        render_grid(config, range(5), (2, 2), tmp_path / "not.png")


def test_same_work_same_bytes_in_any_folder(config: RenderConfig, tmp_path: Path) -> None:
    for name in ("a", "b"):
        render_grid(config, range(4), None, tmp_path / name / "sheet.png")
        render_images(config, range(2), tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_class_of_a_conditional_network(tmp_path: Path) -> None:
    path = save_tiny(tmp_path / "net.safetensors", c_dim=3)
    with pytest.raises(SettingsError, match="choose --class 0 to 2"):
        render_images(RenderConfig(network=str(path), device="cpu"), [0], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    chosen = RenderConfig(network=str(path), device="cpu", class_index=2)
    render_images(chosen, [0], tmp_path / "out")
    [expected] = images(tiny_generator(c_dim=3), [0], class_index=2)
    assert np.abs(pixels(tmp_path / "out" / "seed0000.png") - expected).max() <= 1
