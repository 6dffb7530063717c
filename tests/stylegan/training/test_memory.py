"""Estimates of what a training takes, and the micro-batch that follows."""

from pathlib import Path

import pytest
import torch

from stylegan.training import memory
from stylegan.training.memory import fit_micro_batch, sample_bytes, snapshot_bytes, state_bytes
from stylegan.training.state_file import save_state
from stylegan.training.stats import Collector
from stylegan.training.step import train_step
from tests.stylegan.training.tiny import tiny_plan

CPU = torch.device("cpu")


def test_the_micro_batch_is_the_largest_divisor_that_fits_half_the_memory(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tiny_plan(data).state
    one = sample_bytes(state.G, state.D)
    for num_fitting, expected in ((0, 1), (1, 1), (5, 4), (7, 6), (11, 6), (100, 12)):
        monkeypatch.setattr(memory, "free_bytes", lambda device, num=num_fitting: 2 * num * one)
        assert fit_micro_batch(state.G, state.D, 12, CPU) == expected


def test_on_a_cpu_larger_micro_batches_gain_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tiny_plan(data).state
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1 << 50)
    assert fit_micro_batch(state.G, state.D, 128, CPU) == 32


def test_sizes_of_files_are_foreseen(tmp_path: Path, data: Path) -> None:
    plan = tiny_plan(data, w_dim=64)
    c = torch.zeros([4, 0])
    train_step(
        plan.state, plan.hyper, torch.zeros([4, 3, 16, 16]), c, c, seed=0, micro_batch=4, stats=Collector()
    )
    save_state(tmp_path, plan.state, {})
    assert (tmp_path / "state-latest.pt").stat().st_size == pytest.approx(state_bytes(plan.state), rel=0.5)
    assert snapshot_bytes(plan.state, torch.float16) * 2 == snapshot_bytes(plan.state, None)
