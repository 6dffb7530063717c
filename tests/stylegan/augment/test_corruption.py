"""Noise and cutout: their strength, place and probability."""

import pytest
import torch
from torch import Tensor

from stylegan.augment.corruption import add_noise, cut_out
from stylegan.augment.draws import Draws
from stylegan.augment.settings import AugmentSettings

MANY = 2000


def _draws(count: int = MANY, percentile: float | None = None) -> Draws:
    return Draws(count, percentile=percentile, generator=torch.Generator().manual_seed(0))


def _noise_strengths(p: float) -> Tensor:
    blank = torch.zeros([MANY, 1, 16, 16])
    return add_noise(blank, AugmentSettings(noise=1), _draws(), p).std(dim=(1, 2, 3))


def test_noise_strength_is_half_normal() -> None:
    assert _noise_strengths(1).square().mean().sqrt().item() == pytest.approx(0.1, rel=0.06)


def test_noise_happens_with_its_probability() -> None:
    assert (_noise_strengths(0.3) > 0).double().mean().item() == pytest.approx(0.3, abs=0.03)


def test_noise_at_a_percentile_has_that_strength() -> None:
    noisy = add_noise(torch.zeros([4, 3, 64, 64]), AugmentSettings(noise=1), _draws(4, 0.8), 0)
    expected = 0.1 * torch.erfinv(torch.tensor(0.8)).item()
    assert noisy.std().item() == pytest.approx(expected, rel=0.03)


def test_cutout_blanks_a_square_of_its_size() -> None:
    cut = cut_out(torch.ones([1, 3, 16, 16]), AugmentSettings(cutout=1), _draws(1, 0.5), 0)
    expected = torch.ones([16, 16])
    expected[4:12, 4:12] = 0
    assert torch.equal(cut, expected.expand(1, 3, 16, 16))


def test_cutout_lies_anywhere_and_is_cropped_at_the_border() -> None:
    cut = cut_out(torch.ones([MANY, 1, 16, 16]), AugmentSettings(cutout=1), _draws(), 1)[:, 0] == 0
    sizes = cut.sum(dim=(1, 2))
    assert sizes.max() == 64 and 16 <= sizes.min() < 32
    assert cut.double().mean(dim=0).min() > 0.05


def test_cutout_happens_with_its_probability_and_covers_bad_pixels() -> None:
    cut = cut_out(torch.full([MANY, 1, 8, 8], torch.nan), AugmentSettings(cutout=1), _draws(), 0.3)
    assert (cut == 0).any(dim=3).any(dim=2).double().mean().item() == pytest.approx(0.3, abs=0.03)


def test_cutout_of_an_oblong_image_is_a_fraction_of_each_side() -> None:
    cut = cut_out(torch.ones([1, 1, 8, 16]), AugmentSettings(cutout=1), _draws(1, 0.5), 1)[0, 0] == 0
    assert cut.any(dim=1).sum() == 4 and cut.any(dim=0).sum() == 8
