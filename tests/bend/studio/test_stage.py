"""The network on the stage draws what a render draws, however it got there."""

import threading
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from bend import render
from bend.dial.training_time import check_moments, run_snapshots
from bend.directions import spread_of_w
from bend.errors import SettingsError
from bend.play import Moment
from bend.recipe import Stage as Step
from bend.studio.config import StudioConfig
from bend.studio.patch import read_patch
from bend.studio.recipes import drawing, drawing_at, film_recipe, still_recipe
from bend.studio.shelf import Shelf
from bend.studio.stage import Stage
from stylegan.checkpoint import load_network
from stylegan.run_names import snapshot_name
from stylegan.taps import taps
from tests.bend.runs import save_snapshot, write_run
from tests.bend.tiny import tiny_generator

MODULES = [
    {"name": "rotate", "values": ["30"], "tap": "b8.conv1"},
    {"name": "perturb", "values": ["0.3", "1"], "tap": "b16.conv0"},
]
MAPPED = {"name": "invert", "values": [], "tap": "mapping.fc0"}
FROZEN = {"name": "freeze", "values": ["7"], "tap": "b8.conv1"}


def _draw(stage: Stage, facts: dict[str, object], seconds: float = 0.0) -> np.ndarray:
    patch = read_patch({"network": stage.standing.name, **facts})
    stage.prepare(patch, seconds)
    w = stage.w(patch.place)
    return stage.draw(patch, w, Moment(seconds=seconds, seed=patch.place.seeds[0]))


def test_the_first_picture_does_not_wait_for_a_compilation(
    config: StudioConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bend.readiness.native.may_build", lambda kind: True)
    monkeypatch.setattr("bend.readiness.native.settle", Mock())
    compiled, asked = threading.Event(), threading.Event()
    monkeypatch.setattr("bend.readiness.native.prepare", lambda *_, **__: (asked.set(), compiled.wait(10)))
    Stage(Shelf(config), "faces64", device="cpu")
    assert asked.wait(10)
    assert not compiled.is_set()
    compiled.set()


def test_a_corner_of_the_map_is_its_seed(stage: Stage) -> None:
    seeds = render.images(stage.G, [3, 4, 5])
    for (x, y), picture in zip([(0, 0), (1, 0), (0, 1)], seeds, strict=True):
        drawn = _draw(stage, {"place": {"seeds": [3, 4, 5], "x": x, "y": y}})
        assert np.abs(drawn.astype(int) - picture).max() <= 1


def test_bends_come_and_go_without_a_trace(stage: Stage) -> None:
    plain = _draw(stage, {})
    bent = _draw(stage, {"modules": MODULES})
    assert np.abs(plain.astype(int) - bent).mean() > 2
    assert np.array_equal(_draw(stage, {}), plain)


@pytest.mark.parametrize(
    "facts",
    [
        {"place": {"seeds": [3, 4, 5], "x": 0.4, "y": 0.9}, "trunc": "0.6", "modules": MODULES},
        {"place": {"seeds": [8, 4, 5], "x": 0.4}, "trunc": "lfo(sine,0..1,4s)", "noise_mode": "random"},
        {"trunc": "0.4", "modules": [FROZEN]},
        {"trunc": "0.6", "modules": [MAPPED, *MODULES]},
        {
            "place": {"seeds": [3, 4, 5], "x": 0.4},
            "modules": [{**MAPPED, "mix": "lfo(sine,0..1,4s)"}, FROZEN],
        },
    ],
)
def test_the_recipe_of_a_state_draws_the_same_picture(
    stage: Stage, facts: dict[str, object], tmp_path: Path
) -> None:
    from PIL import Image

    seconds = 1.3
    drawn = _draw(stage, facts, seconds)
    patch = read_patch({"network": stage.standing.name, **facts})
    recipe = still_recipe(
        patch, drawing_at(patch, stage.opened(patch), seconds), "t", str(tmp_path / "still.png")
    )
    step = recipe.stages[0]
    assert isinstance(step, Step)
    step.run([*step.arguments({"recipe": str(tmp_path)}), "--device", "cpu"])
    rendered = np.asarray(Image.open(tmp_path / "still.png"))
    assert np.abs(rendered.astype(int) - drawn).max() <= 1


@pytest.mark.parametrize(
    ("kimg", "held"), [("99", "4"), ("-1", "0"), ("lfo(sine,0..99,4s)", "lfo(sine,0..4,4s)")]
)
def test_a_moment_outside_the_run_is_kept_as_it_is_played(tmp_path: Path, kimg: str, held: str) -> None:
    run = write_run(tmp_path / "runs")
    shelf = Shelf(StudioConfig(runs=tmp_path / "runs", network=str(run), out=tmp_path / "out", device="cpu"))
    stage, seconds = Stage(shelf, shelf.first, device="cpu"), 1.3
    patch = read_patch({"network": stage.standing.name, "kimg": kimg})
    assert drawing(patch, stage.opened(patch)).kimg == held
    kept = drawing_at(patch, stage.opened(patch), seconds).kimg
    assert isinstance(kept, str)
    check_moments(str(run), run_snapshots(str(run)), [float(kept)])
    assert np.array_equal(_draw(stage, {"kimg": kimg}, seconds), _draw(stage, {"kimg": kept}, seconds))


def test_bends_of_the_mapping_network_are_played_and_stay_in_the_path_of_a_film(stage: Stage) -> None:
    plain, bent = _draw(stage, {}), _draw(stage, {"modules": [MAPPED]})
    assert np.abs(plain.astype(int) - bent).mean() > 1
    assert np.array_equal(_draw(stage, {}), plain)
    facts = {"network": stage.standing.name, "modules": [MAPPED]}
    patch, moved = (read_patch({**facts, "modules": [{**MAPPED, "mix": mix}]}) for mix in ("1", "0s:0,2s:1"))
    assert np.array_equal(stage.pictures(patch, patch.place.seeds)[0], bent)
    for seconds, picture in ((0.0, plain), (2.0, bent)):
        assert np.array_equal(_draw(stage, {"modules": [{**MAPPED, "mix": "0s:0,2s:1"}]}, seconds), picture)
    for played, kept in ((patch, patch.bends), (moved, ())):
        film = film_recipe(
            played,
            stage.opened(played),
            bends=played.bends,
            seconds=2,
            fps=4,
            scale=1,
            title="t",
            output="f.mp4",
        )
        assert film.stages[0].options.get("bend", []) == [str(spec) for spec in kept]


def test_a_plain_network_has_no_moments_to_keep(stage: Stage) -> None:
    patch = read_patch({"network": stage.standing.name, "kimg": "lfo(sine,0..99,4s)"})
    assert drawing_at(patch, stage.opened(patch), 1.3).kimg is None


def test_the_recipe_of_a_class_is_what_would_be_typed(stage: Stage) -> None:
    patch = read_patch({"network": stage.standing.name, "class_index": 1})
    [step] = still_recipe(patch, drawing_at(patch, stage.opened(patch), 0.0), "t", "still.png").stages
    words = step.arguments({})
    assert words[words.index("--class") + 1] == "1"


def test_a_preview_is_the_image_so_far(stage: Stage) -> None:
    assert stage.previews() == [16, 8, 4]
    patch = read_patch({"network": stage.standing.name})
    stage.prepare(patch)
    w = stage.w(patch.place)
    listeners: dict[str, torch.Tensor | None] = {"b8.image": None, "b16.conv1": None}
    small = stage.draw(patch, w, Moment(), most=8, listeners=listeners)
    assert small.shape == (8, 8, 3)
    assert listeners["b8.image"] is not None
    assert listeners["b16.conv1"] is None  # drawing had stopped before
    assert not any(module._forward_hooks for module in stage.G.modules())


def test_dial_and_timeline_turn_the_weights_and_turn_them_back(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs")
    config = StudioConfig(runs=tmp_path / "runs", network=str(run), out=tmp_path / "out", device="cpu")
    shelf = Shelf(config)
    stage = Stage(shelf, shelf.first, device="cpu")
    assert stage.standing.moments == (0, 0.25, 0.5, 1, 2, 4)
    last = _draw(stage, {})
    middle = _draw(stage, {"kimg": "0.75"})
    assert np.abs(last.astype(int) - middle).mean() > 1
    # The dial between a network and itself moves nothing, wherever it stands.
    own = _draw(stage, {"dial": {"base": stage.standing.name, "amount": "b4=0,b16=1.5"}})
    assert np.array_equal(own, last)
    assert np.array_equal(_draw(stage, {}), last)
    with pytest.raises(SettingsError, match="not a layer"):
        _draw(stage, {"dial": {"base": stage.standing.name, "amount": "b512=1"}})
    assert np.array_equal(_draw(stage, {}), last)


def test_a_run_that_trains_is_read_anew_only_when_a_snapshot_comes_or_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "runs")
    config = StudioConfig(runs=tmp_path / "runs", network=str(run), out=tmp_path / "out", device="cpu")
    shelf = Shelf(config)
    stage = Stage(shelf, shelf.first, device="cpu")
    load = Mock(wraps=load_network)
    monkeypatch.setattr("bend.dial.training_time.load_network", load)
    save_snapshot(run, 8, tiny_generator(seed=1))
    for kimg in ("5", "5.5", "6"):
        _draw(stage, {"kimg": kimg})
    assert load.call_count == 2
    assert stage.standing.moments == (0, 0.25, 0.5, 1, 2, 4, 8)
    (run / snapshot_name(0)).unlink()
    for kimg in ("5", "5.5", "6"):
        _draw(stage, {"kimg": kimg})
    assert load.call_count == 4
    assert stage.standing.moments == (0.25, 0.5, 1, 2, 4, 8)


def test_principal_axes_and_morphs_lead_away(stage: Stage) -> None:
    here = {"mode": "pca", "seeds": [1, 0, 0], "axes": [0, 1]}
    patch = read_patch({"network": stage.standing.name, "place": {**here, "x": 2.0}})
    home = read_patch({"network": stage.standing.name, "place": here})
    away = stage.w(patch.place) - stage.w(home.place)
    assert away.norm() > 0.1
    half = {**here, "to": {**here, "x": 2.0}, "share": 0.5}
    between = read_patch({"network": stage.standing.name, "place": half})
    assert torch.allclose(stage.w(between.place) - stage.w(home.place), away / 2, atol=1e-5)
    with pytest.raises(SettingsError, match="axis 4000"):
        stage.w(read_patch({"place": {**here, "axes": [0, 4000]}}).place)


def test_principal_axes_are_measured_once_wherever_the_dial_stands(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = Mock(wraps=spread_of_w)
    monkeypatch.setattr("bend.studio.stage.spread_of_w", measured)
    for amount in ("0.2", "0.4", "0.6"):
        dial = {"base": stage.standing.name, "amount": amount}
        patch = read_patch({"network": stage.standing.name, "place": {"mode": "pca"}, "dial": dial})
        stage.prepare(patch)
        stage.w(patch.place)
    assert measured.call_count == 1


def test_clusters_are_those_of_the_network_wherever_the_dial_stands(stage: Stage) -> None:
    modules = [{"name": "invert", "values": [], "tap": "b8.conv1", "channels": "cluster=0"}]
    assert _draw(stage, {"modules": modules}).shape == (16, 16, 3)
    assert set(stage.clusters().labels) == {name for name, tap in taps(stage.G).items() if tap.kind == "conv"}
