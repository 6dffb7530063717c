"""`bend finetune --bend`: the fault stays in place, is written down, is resumed, and training learns around it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bend.bends import open_bends
from bend.errors import SettingsError
from bend.play import Moment
from stylegan.checkpoint import load_network, read_meta
from stylegan.training.config import read_config
from tests.bend.conftest import Run
from tests.bend.training.small import SMALL, finetune
from tests.stylegan.training.tiny import read_state

pytestmark = pytest.mark.usefixtures("few_fakes")

BEND = "rotate:90@b8.conv1"


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    out = tmp_path_factory.mktemp("runs")
    return Path(finetune(out, data=str(data), **SMALL, bend=(BEND,)).facts["run"])


def test_it_is_written_down(run_folder: Path) -> None:
    options = json.loads((run_folder / "training_options.json").read_text())
    assert options["config"]["bend"] == [BEND]
    assert read_config(run_folder).bend == (BEND,)
    for snapshot in run_folder.glob("snapshot-*.safetensors"):
        assert read_meta(snapshot).bend == BEND
    assert f"--bend {BEND}" in (run_folder / "log.txt").read_text()


def test_it_changes_what_is_learned(run_folder: Path, data: Path, tmp_path: Path) -> None:
    plain = Path(finetune(tmp_path, data=str(data), **SMALL).facts["run"])
    a, b = (load_network(folder).G for folder in (run_folder, plain))
    assert a is not None
    assert b is not None
    name = "synthesis.b4.conv1.weight"
    assert not torch.equal(a.get_parameter(name), b.get_parameter(name))
    start = [load_network(f"{folder}@0").G for folder in (run_folder, plain)]
    assert torch.equal(*(G.get_parameter(name) for G in start if G is not None))


def test_the_run_s_own_pictures_are_bent(run_folder: Path) -> None:
    G = load_network(f"{run_folder}@0").generator("ema")
    z = torch.from_numpy(np.random.RandomState(0).randn(1, G.z_dim)).float()
    with open_bends([BEND], G).during(G, Moment()), torch.inference_mode():
        image = G(z, None, noise_mode="const")
    expected = (image * 127.5 + 128).clamp(0, 255).to(torch.uint8)[0].permute(1, 2, 0).numpy()
    sheet = np.asarray(Image.open(run_folder / "fakes000000.png").convert("RGB"))[:16, :16]
    assert np.abs(sheet.astype(int) - expected).max() <= 1


@pytest.mark.slow
def test_a_resumed_run_keeps_it_bit_for_bit(run_folder: Path, data: Path, tmp_path: Path) -> None:
    whole = Path(
        finetune(tmp_path / "a", data=str(data), **SMALL | {"kimg": 0.012}, bend=(BEND,)).facts["run"]
    )
    part = Path(finetune(tmp_path / "b", data=str(data), **SMALL, bend=(BEND,)).facts["run"])
    finetune(tmp_path / "b", resume=str(part), kimg=0.012)
    states = [read_state(folder) for folder in (whole, part)]
    weights = [state["G"] if "G" in state else state["networks"]["G"] for state in states]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("bend", ["rotate:lfo(sine,0..9,2s)@b8.conv0", "feedback:.5@b8.conv0"])
def test_what_a_training_cannot_keep_is_refused(data: Path, tmp_path: Path, bend: str) -> None:
    with pytest.raises(SettingsError, match="a training"):
        finetune(tmp_path, data=str(data), **SMALL, bend=(bend,))
    assert not list(tmp_path.iterdir())


def test_the_option_may_be_given_several_times(run: Run, data: Path, tmp_path: Path) -> None:
    status, out, err = run(
        *(
            "finetune",
            "--data",
            data,
            "--base",
            "none",
            "--kimg",
            ".004",
            "--batch",
            "4",
            "--channel-base",
            "128",
        ),
        *("--channel-max", "8", "--w-dim", "8", "--device", "cpu", "--no-score", "-o", tmp_path),
        *("--bend", "blur:1@b16.conv0", "--bend", "invert@b8.conv1/channels=0-3"),
    )
    assert status == 0, err
    [folder] = tmp_path.glob("00000-*")
    assert read_config(folder).bend == ("blur:1@b16.conv0", "invert@b8.conv1/channels=0-3")
    assert str(folder) in out
