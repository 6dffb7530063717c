"""The running average of weights."""

import pytest
import torch
from torch import nn

from stylegan.training.ema import ema_beta, update_ema


def test_half_the_distance_remains_after_ema_kimg() -> None:
    network, average = nn.Linear(1, 1), nn.Linear(1, 1)
    nn.init.constant_(network.weight, 1.0)
    nn.init.constant_(average.weight, 0.0)
    batch, ema_kimg = 25, 2.0
    for step in range(80):  # 80 * 25 images = 2 kimg
        update_ema(average, network, ema_beta(batch, ema_kimg, (step + 1) * batch, None))
    assert average.weight.item() == pytest.approx(0.5, abs=1e-5)


def test_rampup_bounds_the_half_life_by_what_was_seen() -> None:
    assert ema_beta(32, 10, 1000, 0.05) == pytest.approx(0.5 ** (32 / 50))
    assert ema_beta(32, 10, 10**6, 0.05) == pytest.approx(0.5 ** (32 / 10_000))
    assert ema_beta(32, 10, 1000, None) == pytest.approx(0.5 ** (32 / 10_000))


def test_the_first_steps_of_a_rampup_all_but_copy() -> None:
    assert ema_beta(32, 10, 0, 0.05) == 0
    assert ema_beta(32, 10, 32, 0.05) == pytest.approx(0.5**20)


def test_buffers_are_copied_and_the_network_is_left_alone() -> None:
    network, average = nn.BatchNorm1d(3), nn.BatchNorm1d(3)
    for buffer in network.buffers():
        buffer.copy_(torch.ones_like(buffer) * 5)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    update_ema(average, network, 0.999)
    for mine, theirs in zip(average.buffers(), network.buffers(), strict=True):
        assert torch.equal(mine, theirs)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key])


def test_a_torch_without_its_private_operation_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network, average = nn.Linear(7, 5), nn.Linear(7, 5)
    other = nn.Linear(7, 5)
    other.load_state_dict(average.state_dict())
    update_ema(average, network, 0.9)
    monkeypatch.delattr(torch, "_foreach_lerp_")
    update_ema(other, network, 0.9)
    assert torch.equal(average.weight, other.weight)
    assert torch.equal(average.bias, other.bias)
