"""Geometric transforms: what they compose to, and how often each happens."""

import math

import pytest
import torch
from torch import Tensor

from stylegan.augment.draws import Draws
from stylegan.augment.geometry import draw_inverse
from stylegan.augment.settings import AUGMENT_PIPES, AugmentSettings

MANY = 20000
HEIGHT, WIDTH = 32, 64


def _draw(p: float = 1, **settings: float) -> Tensor:
    draws = Draws(MANY, generator=torch.Generator().manual_seed(0))
    return draw_inverse(AugmentSettings(**settings), draws, p, HEIGHT, WIDTH)


def _at_percentile(q: float, **settings: float) -> Tensor:
    return draw_inverse(AugmentSettings(**settings), Draws(1, percentile=q), 1, HEIGHT, WIDTH)[0]


def _share_changed(inverse: Tensor) -> float:
    return (inverse != torch.eye(3, dtype=torch.float64)).any(dim=2).any(dim=1).double().mean().item()


def test_nothing_on_or_p_zero_is_the_identity() -> None:
    assert _share_changed(_draw()) == 0
    assert _share_changed(_draw(p=0, **AUGMENT_PIPES["bg"])) == 0


@pytest.mark.parametrize("p", [0.3, 1.0])
def test_half_of_the_flips_that_happen_show(p: float) -> None:
    inverse = _draw(p, xflip=1)
    assert set(inverse[:, 0, 0].tolist()) == {1.0, -1.0}
    assert (inverse[:, 0, 0] < 0).double().mean().item() == pytest.approx(p / 2, abs=0.02)
    assert (inverse[:, 1, 1] == 1).all()


def test_quarter_turns_are_exact_and_equally_likely() -> None:
    inverse = _draw(rotate90=1)
    assert set(inverse.flatten().tolist()) == {0.0, 1.0, -1.0}
    turns = inverse[:, 0, 0] + 2 * inverse[:, 1, 0]  # 1, 2, -1, -2 for 0 to 3 quarters
    for value in (1, 2, -1, -2):
        assert (turns == value).double().mean().item() == pytest.approx(0.25, abs=0.02)


def test_shifts_are_whole_pixels_within_an_eighth() -> None:
    shift = _draw(xint=1)[:, :2, 2]
    assert torch.equal(shift, shift.round())
    assert shift[:, 0].abs().max() == WIDTH / 8
    assert shift[:, 1].abs().max() == HEIGHT / 8


def test_scales_are_log_normal() -> None:
    inverse = _draw(scale=1)
    assert torch.equal(inverse[:, 0, 0], inverse[:, 1, 1])
    log_scale = inverse[:, 0, 0].log2()
    assert log_scale.mean().item() == pytest.approx(0, abs=0.01)
    assert log_scale.std().item() == pytest.approx(0.2, abs=0.01)


def test_stretch_keeps_the_area() -> None:
    inverse = _draw(aniso=1)
    torch.testing.assert_close(torch.linalg.det(inverse), torch.ones(MANY, dtype=torch.float64))
    assert inverse[:, 0, 0].log2().std().item() == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize("p", [0.36, 1.0])
def test_the_two_rotations_together_have_the_probability_asked_for(p: float) -> None:
    inverse = _draw(p, rotate=1)
    assert _share_changed(inverse) == pytest.approx(p, abs=0.02)
    product = inverse @ inverse.transpose(1, 2)
    torch.testing.assert_close(product, torch.eye(3, dtype=torch.float64).expand(MANY, 3, 3))


def test_fractional_shifts_scale_with_the_size() -> None:
    shift = _draw(xfrac=1)[:, :2, 2]
    assert shift[:, 0].std().item() == pytest.approx(0.125 * WIDTH, rel=0.03)
    assert shift[:, 1].std().item() == pytest.approx(0.125 * HEIGHT, rel=0.03)


def test_a_multiplier_scales_the_probability() -> None:
    assert _share_changed(_draw(0.5, scale=0.5)) == pytest.approx(0.25, abs=0.02)


def test_percentiles_give_the_strength_meant() -> None:
    q = 0.8
    normal = torch.erfinv(torch.tensor(2 * q - 1, dtype=torch.float64)).item()
    assert _at_percentile(q, scale=1)[0, 0].item() == pytest.approx(2 ** (-0.2 * normal))
    assert _at_percentile(q, rotate=1)[1, 0].item() == pytest.approx(math.sin(0.6 * math.pi))
    assert _at_percentile(q, rotate=1, rotate_max=0.5)[1, 0].item() == pytest.approx(math.sin(0.3 * math.pi))
    assert _at_percentile(q, xint=1)[:2, 2].tolist() == [-5, -2]
