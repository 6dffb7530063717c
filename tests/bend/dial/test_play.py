"""The dial as a play, in stills and walks, and training time beside it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bend import render
from bend.automation import Constant, parse
from bend.config import RenderConfig
from bend.dial.amount import parse_amount
from bend.dial.mixing import state_of
from bend.dial.play import Dial, open_dial
from bend.dial.training_time import TrainingTime, even_pace, open_training_time, run_snapshots
from bend.errors import SettingsError
from bend.play import Moment
from tests.bend.runs import between, save_snapshot
from tests.bend.tiny import save_tiny, tiny_generator


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A base, a bent network, and a run of three snapshots."""
    save_tiny(tmp_path / "base.safetensors", seed=0)
    save_tiny(tmp_path / "bent.safetensors", seed=1)
    for seed, kimg in enumerate((0.0, 1.0, 4.0)):
        save_snapshot(tmp_path / "run", kimg, tiny_generator(seed=seed), tiny_generator(seed=seed + 10))
    return tmp_path


def look(files: Path, **settings: object) -> RenderConfig:
    return RenderConfig(**{"network": str(files / "bent.safetensors"), "device": "cpu", **settings})


def drawn(config: RenderConfig, seconds: float = 0.0) -> np.ndarray:
    G = render.open_generator(config)
    plays = render.open_plays(config, G)
    ws = G.mapping(torch.from_numpy(np.random.RandomState(3).randn(1, 32)).float(), None)
    moment = Moment(seconds=seconds, seed=3)
    return render.draw(G, ws, plays=plays, moments=[moment]).astype(int)


def test_at_0_it_is_the_base_and_at_1_the_bent(files: Path) -> None:
    base, bent = (
        drawn(look(files, network=str(files / name))) for name in ("base.safetensors", "bent.safetensors")
    )
    dial_from = str(files / "base.safetensors")
    assert np.array_equal(drawn(look(files, dial_from=dial_from, dial="0")), base)
    assert np.array_equal(drawn(look(files, dial_from=dial_from, dial="1")), bent)
    assert not np.array_equal(drawn(look(files, dial_from=dial_from, dial="0.5")), bent)


def test_over_time_it_moves_the_synthesis_and_puts_everything_back(files: Path) -> None:
    config = look(files, dial_from=str(files / "base.safetensors"), dial="0s:0,2s:1")
    G = render.open_generator(config)
    before = state_of(G)
    (dial,) = render.open_plays(config, G)
    assert dial.varies
    half = between(tiny_generator(seed=0), tiny_generator(seed=1), 0.5).state_dict()
    with dial.during(G, Moment(seconds=1.0)):
        assert all(torch.allclose(value, half[key], atol=1e-6) for key, value in G.state_dict().items())
    assert all(torch.equal(value, before[key]) for key, value in G.state_dict().items())
    with pytest.raises(RuntimeError), dial.during(G, Moment()):
        raise RuntimeError
    assert all(torch.equal(value, before[key]) for key, value in G.state_dict().items())


def test_several_bents_share_the_dial(files: Path) -> None:
    G = tiny_generator(seed=1)
    base = str(files / "base.safetensors")
    bents = [str(files / "run@1"), str(files / "run@4")]
    dial = open_dial(
        G, base, parse_amount("1"), network="G", weights="raw", others=bents, shares=(0.5, 0.2, 0.3)
    )
    states = [state_of(tiny_generator(seed=seed)) for seed in (0, 1, 1, 2)]
    dial.set(G, 0)
    for key, value in G.state_dict().items():
        wanted = 0.5 * states[1][key] + 0.2 * states[2][key] + 0.3 * states[3][key]
        assert torch.allclose(value, wanted, atol=1e-5)
    with pytest.raises(SettingsError, match="2 bent networks, but 1 shares"):
        Dial(base=states[0], others=(states[1],), amount=parse_amount("1"))


def test_the_dial_refuses(files: Path) -> None:
    save_tiny(files / "large.safetensors", resolution=32)
    with pytest.raises(SettingsError, match="img_resolution is 16 and 32"):
        drawn(look(files, dial_from=str(files / "large.safetensors")))
    with pytest.raises(SettingsError, match="b32 is not a layer"):
        drawn(look(files, dial_from=str(files / "base.safetensors"), dial="b32=1"))
    with pytest.raises(SettingsError, match="--dial nan: 'nan' is not finite"):
        drawn(look(files, dial_from=str(files / "base.safetensors"), dial="nan"))
    with pytest.raises(SettingsError, match="--kimg soon: 'soon' is not a number"):
        look(files, kimg="soon")
    with pytest.raises(SettingsError, match="--dial-from"):
        look(files, dial="0.5")


@pytest.mark.parametrize("weights", ["raw", "ema"])
def test_a_moment_between_snapshots_lies_between_them(files: Path, weights: str) -> None:
    first = 0 if weights == "raw" else 10
    G = tiny_generator(seed=5)
    training = open_training_time(str(files / "run"), Constant(0.0), weights)
    for kimg, (a, b, share) in {
        0.0: (0, 1, 0.0),
        0.25: (0, 1, 0.25),
        1.0: (0, 1, 1.0),
        3.0: (1, 2, 2 / 3),
        4.0: (1, 2, 1.0),
        99.0: (1, 2, 1.0),
        -1.0: (0, 1, 0.0),
    }.items():
        training.set(G, kimg)
        wanted = between(tiny_generator(seed=first + a), tiny_generator(seed=first + b), share).state_dict()
        for key, value in G.state_dict().items():
            assert torch.allclose(value, wanted[key], atol=1e-6), (kimg, key)


def test_training_time_runs_in_any_render(files: Path) -> None:
    config = look(files, network=str(files / "run"), weights="raw", kimg="0s:0,4s:4")
    G = render.open_generator(config)
    (play,) = render.open_plays(config, G)
    with play.during(G, Moment(seconds=1.0)):
        wanted = tiny_generator(seed=1).state_dict()
        assert all(torch.equal(value, wanted[key]) for key, value in G.state_dict().items())
    still = replace(config, kimg="1")
    assert np.array_equal(drawn(still), drawn(replace(still, kimg=None, network=str(files / "run@1"))))
    with pytest.raises(SettingsError, match="no snapshots"):
        drawn(look(files, kimg="1"))


@pytest.mark.parametrize("kimg", ["99", "-1", "0s:0,4s:5", "lfo(sine,-1..4,2s)"])
def test_moments_outside_of_the_run_are_refused(files: Path, kimg: str) -> None:
    with pytest.raises(SettingsError, match=r"kimg (99|-1|5): .*run goes from 0 to 4 kimg"):
        drawn(look(files, network=str(files / "run"), kimg=kimg))


def test_dial_and_training_time_go_together(files: Path) -> None:
    base = str(files / "base.safetensors")
    config = look(
        files, network=str(files / "run"), weights="raw", kimg="0s:0,4s:4", dial_from=base, dial="0.5"
    )
    G = render.open_generator(config)
    time, dial = render.open_plays(config, G)
    with time.during(G, Moment(seconds=4.0)), dial.during(G, Moment(seconds=4.0)):
        wanted = between(tiny_generator(seed=0), tiny_generator(seed=2), 0.5).state_dict()
        assert all(torch.allclose(value, wanted[key], atol=1e-6) for key, value in G.state_dict().items())


def test_few_snapshots_stay_in_memory(files: Path) -> None:
    for kimg in (5.0, 6.0, 7.0):
        save_snapshot(files / "run", kimg, tiny_generator(seed=3))
    training = TrainingTime(run_snapshots(str(files / "run")), parse("0"))
    G = tiny_generator()
    for kimg in (0.5, 3.0, 4.5, 5.5, 6.5, 0.1):
        training.set(G, kimg)
        assert len(training._states) <= 3


def test_an_even_pace_takes_as_long_between_any_two_snapshots() -> None:
    pace = even_pace([0.0, 1.0, 4.0], 10.0)
    assert [pace.at(t) for t in (0, 2.5, 5, 7.5, 10)] == [0, 0.5, 1, 2.5, 4]
    back = even_pace([0.0, 1.0, 4.0], 10.0, loop=True)
    assert [back.at(t) for t in (0, 2.5, 5, 7.5, 10)] == [0, 1, 4, 1, 0]
    assert even_pace([2.0], 10.0).at(3) == 2
