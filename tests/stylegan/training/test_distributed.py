"""A training on two processes is the training on one, and survives the loss of one of them."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.stylegan.training.team import begin, ended_with, take_steps
from tests.stylegan.training.tiny import assert_equal, read_state
from tests.torchrun import torchrun

TINY = shlex.split(
    "finetune --base none --batch 8 --micro-batch 4 --aug-p 0.5 --seed 3 --device cpu --channel-base 256 --no-score "
    "--channel-max 16 --mapping-layers 2 --w-dim 16 --snapshots 0.04 --kimg 0.08"
)


def assert_near(one: Any, other: Any, path: str = "") -> None:
    """Nested states agree to 1e-12 of each tensor's largest value."""
    if isinstance(one, Tensor):
        bound = 1e-12 * max(float(one.abs().max()), 1e-3)
        assert float((one - other).abs().max()) <= bound, path
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key, value in one.items():
            assert_near(value, other[key], f"{path}.{key}")
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-12), path
    else:
        assert_equal(one, other, path)


@pytest.mark.slow
def test_two_processes_of_four_are_one_of_eight(data: Path, tmp_path: Path) -> None:
    done = torchrun("tests.stylegan.training.team", data, tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert_equal(first["state"], second["state"])
    assert_equal(first["stats"], second["stats"])

    alone = begin(data)
    before = alone.state.G.mapping.fc0.weight.clone()
    stats = take_steps(alone, micro_batch=8).read()
    assert float((alone.state.G.mapping.fc0.weight - before).abs().max()) > 1e-3
    assert alone.state.ada is not None
    assert float(alone.state.ada.p) != 0.5
    assert float(alone.state.pl_mean) > 0
    for optimizer in ("G_opt", "D_opt"):  # their moments are gradients squared, and as exact
        assert first["state"][optimizer]["state"].keys() == ended_with(alone)[optimizer]["state"].keys()
    assert_near(ended_with(alone), first["state"])
    for name in ("Loss/G/loss", "Loss/D/loss", "Loss/r1_penalty", "Loss/pl_penalty"):
        assert stats[name] == pytest.approx(first["stats"][name], rel=1e-9), name
    # For each of four phases a flag, and the gradients with whatever else is summed.
    assert first["exchanges"] <= 12

    small = [torch.load(tmp_path / f"rank{rank}-small.pt", weights_only=True) for rank in (0, 1)]
    assert [one["fitted"] for one in small] == [2, 2]
    assert_equal(small[0]["state"], small[1]["state"])


@pytest.mark.slow
def test_the_command_saves_the_same_state_whatever_the_processes(data: Path, tmp_path: Path) -> None:
    for num in (1, 2):
        done = torchrun("bend", *TINY, "--data", data, "-o", tmp_path / str(num), num=num)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("0.08 kimg") == 1
        assert done.stderr.count("snapshot-000000.040") == 1
    one, two = (read_state(next((tmp_path / str(num)).iterdir())) for num in (1, 2))
    for network in ("G", "D", "G_ema"):
        for key, value in one[network].items():
            torch.testing.assert_close(two[network][key], value, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_is_as_if_it_had_lived(data: Path, tmp_path: Path, victim: int) -> None:
    command = [*TINY, "--data", data, "-o"]
    whole = torchrun("bend", *command, tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    failpoint = f"step@rank{victim}.0:kill:8"  # the state was saved after the fifth step
    killed = torchrun("bend", *command, tmp_path / "killed", restarts=1, BEND_FAILPOINT=failpoint)
    assert killed.returncode == 0, killed.stderr
    assert "resuming" in killed.stderr
    runs = [list((tmp_path / name).iterdir()) for name in ("whole", "killed")]
    assert [len(found) for found in runs] == [1, 1]
    assert_equal(read_state(runs[0][0]), read_state(runs[1][0]))
    for path in runs[0][0].glob("*.safetensors"):
        assert path.read_bytes() == (runs[1][0] / path.name).read_bytes()
