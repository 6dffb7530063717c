"""What is kept, and the order in which it is shown."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from bend.errors import SettingsError
from bend.recipe import read_recipe
from bend.replay import replay
from bend.studio.config import StudioConfig
from bend.studio.keeping import Keeping
from bend.studio.patch import Patch, read_patch
from bend.studio.shelf import Shelf
from bend.studio.stage import Stage
from tests.bend.tiny import save_tiny


@pytest.fixture
def keeping(config: StudioConfig) -> Keeping:
    return Keeping(config.out, Shelf(config))


def test_takes_and_films_are_shown_the_latest_first(keeping: Keeping, config: StudioConfig) -> None:
    kept = ["film-002", "film-1000", "take-001", "take-003", "take-999", "renamed"]
    for name in kept:
        _write(config.out / "takes" / name / "recipe.toml", "")
    (config.out / "takes" / "take-2000").mkdir()  # nothing was kept there
    shown = [take["name"] for take in keeping.takes()]
    assert shown == ["film-1000", "take-999", "take-003", "film-002", "take-001", "renamed"]


def test_a_preset_without_a_name_gets_one_that_is_free(keeping: Keeping, stage: Stage) -> None:
    plain = Patch(network=stage.standing.name)
    for _ in range(3):
        keeping.keep_preset("", stage, plain)
    keeping.drop_preset("preset 1")
    for _ in range(2):
        keeping.keep_preset("", stage, plain)
    assert _names(keeping) == ["preset 2", "preset 3", "preset 1", "preset 4"]


def test_what_is_no_preset_stays_where_it_is(keeping: Keeping, config: StudioConfig, stage: Stage) -> None:
    odd: list[Any] = [7, {"name": "mine", "patch": {"network": 3}, "picture": ""}, {"name": "mine"}]
    _write(config.out / "presets.json", json.dumps(odd))
    keeping.keep_preset("mine", stage, Patch(network=stage.standing.name))
    assert _names(keeping) == ["mine"]
    keeping.drop_preset("mine")
    assert json.loads((config.out / "presets.json").read_text("utf-8")) == odd


@pytest.mark.parametrize("text", ["[{},]", "{}", "[" * 100_000], ids=["broken", "no list", "too deep"])
def test_presets_that_cannot_be_read_are_told_and_not_written_over(
    keeping: Keeping, config: StudioConfig, stage: Stage, text: str
) -> None:
    file = config.out / "presets.json"
    _write(file, text)
    assert keeping.presets() == []
    with pytest.raises(SettingsError, match=r"presets\.json.*move it away"):
        keeping.keep_preset("mine", stage, Patch(network=stage.standing.name))
    with pytest.raises(SettingsError, match="move it away"):
        keeping.drop_preset("mine")
    assert file.read_text("utf-8") == text
    with pytest.raises(SettingsError, match="move it away"):
        Keeping(config.out, Shelf(config))


def test_a_page_gets_whole_patches(keeping: Keeping, config: StudioConfig) -> None:
    sparse = {"network": "faces64", "dial": {"base": None, "amount": 1}}
    _write(config.out / "presets.json", json.dumps([{"name": "old", "patch": sparse, "picture": ""}]))
    (preset,) = keeping.presets()
    assert preset["patch"] == Patch().facts()


def test_a_picture_asks_the_shelf_once(keeping: Keeping, stage: Stage) -> None:
    with patch.object(Shelf, "find", autospec=True, side_effect=Shelf.find) as find:
        keeping.picture(stage, Patch(network=stage.standing.name), 0.0)
    assert find.call_count == 1


@pytest.mark.parametrize(
    ("x", "y"), [(1.762938088996, -0.43808579544430737), (-1.05924195446313, 1.7759795964951075)]
)
def test_a_truncated_picture_is_replayed_to_the_bit_wherever_its_point_is(
    keeping: Keeping, stage: Stage, tmp_path: Path, x: float, y: float
) -> None:
    """The first point was rounded otherwise in its plane, and the second one has more than nine digits."""
    facts = {"network": stage.standing.name, "place": {"seeds": [7, 8, 9], "x": x, "y": y}, "trunc": 1.3}
    kept = tmp_path / "studio.png"
    kept.write_bytes(keeping.picture(stage, read_patch(facts), 0.0))
    assert replay(kept, tmp_path / "again.png").is_same


def test_a_film_and_a_recipe_are_of_a_network_that_is_found_from_any_folder(
    config: StudioConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network = save_tiny(Path("tiny.safetensors"))
    shelf = Shelf(replace(config, network=str(network)))
    keeping, patch_of_it = Keeping(config.out, shelf), Patch(network=shelf.first)
    path = (np.array([0.0, 1.0]), np.zeros([2, 32]))
    name = keeping.keep_film(patch_of_it, (), path, seconds=1, fps=2, resolution=16, kind="film")
    kept = keeping.take_folder(name) / "recipe.toml"
    (tmp_path / "moment.toml").write_bytes(
        keeping.recipe(Stage(shelf, shelf.first, device="cpu"), patch_of_it, 0.0)[1]
    )
    for recipe in (kept, tmp_path / "moment.toml"):
        [stage] = read_recipe(recipe).stages
        assert stage.options["network"] == str(tmp_path / network)


def _names(keeping: Keeping) -> list[str]:
    return [preset["name"] for preset in keeping.presets()]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
