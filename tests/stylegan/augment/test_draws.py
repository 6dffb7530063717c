"""Random numbers of a batch: their distributions, their percentiles, and what they do to a generator."""

import math

import pytest
import torch

from stylegan.augment.draws import Draws

MANY = 20000


def _seeded(count: int = MANY) -> Draws:
    return Draws(count, generator=torch.Generator().manual_seed(0))


def test_uniform_draws_fill_their_ranges() -> None:
    draws = _seeded()
    unit, symmetric = draws.unit(2), draws.symmetric()
    assert unit.shape == (MANY, 2)
    assert 0 <= unit.min() < 0.01 and 0.99 < unit.max() < 1
    assert symmetric.shape == (MANY,)
    assert -1 <= symmetric.min() < -0.99 and 0.99 < symmetric.max() < 1
    assert symmetric.mean().item() == pytest.approx(0, abs=0.02)


def test_normal_draws_have_unit_deviation() -> None:
    draws = _seeded()
    assert draws.normal(2).std().item() == pytest.approx(1, abs=0.02)
    half = draws.half_normal()
    assert half.min() >= 0
    assert half.square().mean().item() == pytest.approx(1, abs=0.04)


def test_integers_are_equally_likely() -> None:
    counts = torch.bincount(_seeded().integers(4).long(), minlength=4)
    assert counts.sum() == MANY
    assert counts.min() > 0.23 * MANY


@pytest.mark.parametrize("probability", [0.0, 0.2, 1.0, 1.7])
def test_happens_with_its_probability(probability: float) -> None:
    happens = _seeded().happens(probability)
    assert set(happens.unique().tolist()) <= {0.0, 1.0}
    assert happens.mean().item() == pytest.approx(min(probability, 1), abs=0.02)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.8])
def test_a_percentile_fixes_every_draw(q: float) -> None:
    draws = Draws(3, percentile=q)
    assert draws.unit(2).tolist() == [[q, q]] * 3
    assert draws.symmetric().tolist() == pytest.approx([2 * q - 1] * 3)
    assert draws.integers(4).tolist() == [math.floor(4 * q)] * 3
    assert math.erf(draws.normal()[0].item()) == pytest.approx(2 * q - 1)
    assert math.erf(draws.half_normal()[0].item()) == pytest.approx(q)
    assert draws.happens(0).tolist() == [1, 1, 1]


@pytest.mark.parametrize("q", [0, 1, -0.5, 1.5])
def test_refuses_a_percentile_without_a_value(q: float) -> None:
    with pytest.raises(ValueError, match="inside"):
        Draws(1, percentile=q)


def test_pixel_noise_takes_shape_and_dtype() -> None:
    like = torch.zeros([2, 3, 8, 8], dtype=torch.float64)
    noise = _seeded(2).pixel_noise(like)
    assert noise.shape == like.shape and noise.dtype == like.dtype
    assert noise.std().item() == pytest.approx(1, abs=0.15)
    assert torch.equal(noise, _seeded(2).pixel_noise(like))


def test_without_a_generator_the_global_one_is_used() -> None:
    torch.manual_seed(5)
    first = Draws(4).normal()
    torch.manual_seed(5)
    assert torch.equal(first, Draws(4).normal())


@pytest.mark.gpu
def test_a_cpu_generator_serves_another_device() -> None:
    like = torch.zeros([1, 3, 8, 8], device="cuda")
    first, second = (_seeded(1).pixel_noise(like) for _ in range(2))
    assert first.device.type == "cuda"
    assert torch.equal(first, second)
