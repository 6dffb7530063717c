"""What is kept, and the order in which it is shown."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from bend.automation import Keyframes
from bend.bends.grammar import parse_bend
from bend.clusters import find_clusters
from bend.errors import SettingsError
from bend.recipe import read_recipe
from bend.replay import replay
from bend.studio.config import StudioConfig
from bend.studio.keeping import Keeping
from bend.studio.patch import DialSetting, Patch, read_patch
from bend.studio.shelf import Shelf
from bend.studio.stage import Stage
from bend.studio.take import LONGEST
from tests.bend.runs import save_snapshot, write_run
from tests.bend.tiny import save_tiny, tiny_generator

CONVOLUTIONS = ("b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1")


@pytest.fixture
def keeping(config: StudioConfig) -> Keeping:
    return Keeping(config.out)


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
        Keeping(config.out)


def test_a_page_gets_whole_patches(keeping: Keeping, config: StudioConfig) -> None:
    sparse = {"network": "faces64", "dial": {"base": None, "amount": 1}}
    _write(config.out / "presets.json", json.dumps([{"name": "old", "patch": sparse, "picture": ""}]))
    (preset,) = keeping.presets()
    assert preset["patch"] == Patch().facts()


def test_a_picture_does_not_look_through_the_runs_again(keeping: Keeping, stage: Stage) -> None:
    with patch.object(Shelf, "find", autospec=True, side_effect=Shelf.find) as find:
        keeping.picture(stage, Patch(network=stage.standing.name), 0.0)
    assert not find.called


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
    keeping, patch_of_it = Keeping(config.out), Patch(network=shelf.first)
    stage = Stage(shelf, shelf.first, device="cpu")
    path = (np.array([0.0, 1.0]), np.zeros([2, 32]))
    name = keeping.keep_film(
        patch_of_it, stage.opened(patch_of_it), (), path, seconds=1, fps=2, resolution=16, kind="film"
    )
    kept = keeping.take_folder(name) / "recipe.toml"
    (tmp_path / "moment.toml").write_bytes(keeping.recipe(stage, patch_of_it, 0.0)[1])
    for recipe in (kept, tmp_path / "moment.toml"):
        [step] = read_recipe(recipe).stages
        assert step.options["network"] == str(tmp_path / network)


@pytest.mark.parametrize(
    "moving", [{"kimg": "1"}, {"dial": {"base": "run:00000-rocks-tiny", "amount": "0.5"}}]
)
def test_clusters_are_those_of_the_network_as_it_was_opened_also_in_what_is_kept(
    keeping: Keeping, config: StudioConfig, tmp_path: Path, moving: dict[str, Any]
) -> None:
    run = write_run(config.runs)
    shelf = Shelf(config)
    stage = Stage(shelf, shelf.first if "dial" in moving else f"run:{run.name}", device="cpu")
    bends = [
        {"name": "rotate", "values": ["90"], "tap": tap, "channels": "cluster=0"} for tap in CONVOLUTIONS
    ]
    patch_of_it = read_patch({"network": stage.standing.name, "modules": bends, **moving})
    (tmp_path / "studio.png").write_bytes(keeping.picture(stage, patch_of_it, 0.0))
    assert replay(tmp_path / "studio.png", tmp_path / "again.png").is_same
    stage.prepare(patch_of_it)
    assert (
        find_clusters(stage.G).labels["b16.conv1"].tolist() != stage.clusters().labels["b16.conv1"].tolist()
    )


@pytest.mark.parametrize("role", ["network", "base"])
def test_what_is_kept_of_a_run_is_of_the_snapshot_that_was_played_however_it_trains_on(
    keeping: Keeping, config: StudioConfig, tmp_path: Path, role: str
) -> None:
    run = write_run(config.runs)
    shelf = Shelf(config)
    stage = Stage(shelf, shelf.first if role == "base" else f"run:{run.name}", device="cpu")
    dial = DialSetting(base=f"run:{run.name}" if role == "base" else None, amount="0")
    patch_of_it = Patch(network=stage.standing.name, dial=dial)
    opened = stage.opened(patch_of_it)
    before = keeping.picture(stage, patch_of_it, 0.0)
    save_snapshot(run, 8, tiny_generator(seed=5))
    (tmp_path / "studio.png").write_bytes(keeping.picture(stage, patch_of_it, 0.0))
    (tmp_path / "studio.toml").write_bytes(keeping.recipe(stage, patch_of_it, 0.0)[1])
    assert (tmp_path / "studio.png").read_bytes() == before
    assert replay(tmp_path / "studio.png", tmp_path / "again.png").is_same
    path = (np.array([0.0, 1.0]), np.zeros([2, 32]))
    film = keeping.keep_film(patch_of_it, opened, (), path, seconds=1, fps=2, resolution=16, kind="film")
    for recipe in (tmp_path / "studio.toml", keeping.take_folder(film) / "recipe.toml"):
        [step] = read_recipe(recipe).stages
        assert step.options["dial_from" if role == "base" else "network"] == f"{run}@4"


def test_the_longest_take_of_what_sound_moves_can_be_rendered(keeping: Keeping, stage: Stage) -> None:
    times = np.arange(0, LONGEST, 1 / 40).round(3)
    heard = np.random.default_rng(0).uniform(-1, 1, [4, len(times)]).round(5)
    moved = [Keyframes(tuple(times.tolist()), tuple(values.tolist())) for values in heard]
    bends = tuple(replace(parse_bend("rotate:0@b8.conv1"), values=(values,)) for values in moved)
    patch_of_it = Patch(network=stage.standing.name)
    path = (np.array([0.0, LONGEST]), np.zeros([2, 32]))
    name = keeping.keep_film(
        patch_of_it,
        stage.opened(patch_of_it),
        bends,
        path,
        seconds=LONGEST,
        fps=24,
        resolution=16,
        kind="take",
    )
    kept = keeping.take_folder(name) / "recipe.toml"
    assert kept.stat().st_size > 1_500_000
    [step] = read_recipe(kept).stages
    assert len(step.options["bend"]) == 4


def _names(keeping: Keeping) -> list[str]:
    return [preset["name"] for preset in keeping.presets()]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
