"""Colour transforms: each one's meaning, its distribution, grey images."""

import math

import pytest
import torch
from torch import Tensor

from stylegan.augment.colour import apply_colour, draw_colour
from stylegan.augment.draws import Draws
from stylegan.augment.settings import AUGMENT_PIPES, AugmentSettings
from stylegan.errors import ConfigError

MANY = 20000


def _draw(p: float = 1, **settings: float) -> Tensor:
    draws = Draws(MANY, generator=torch.Generator().manual_seed(0))
    return draw_colour(AugmentSettings(**settings), draws, p)


def _images(channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand([4, channels, 8, 8], generator=generator, dtype=torch.float64) * 2 - 1


def test_p_zero_changes_nothing() -> None:
    matrix = _draw(p=0, **AUGMENT_PIPES["color"])
    torch.testing.assert_close(matrix, torch.eye(4, dtype=torch.float64).expand(MANY, 4, 4))
    torch.testing.assert_close(apply_colour(_images(), matrix[:4]), _images())


def test_brightness_adds_the_same_to_every_channel() -> None:
    matrix = _draw(brightness=1)
    assert torch.equal(matrix[:, 0, 3], matrix[:, 2, 3])
    assert matrix[:, 0, 3].std().item() == pytest.approx(0.2, abs=0.01)
    torch.testing.assert_close(apply_colour(_images(), matrix[:4]), _images() + matrix[:4, :1, 3, None, None])


def test_contrast_is_log_normal_and_scales_brightness_too() -> None:
    matrix = _draw(contrast=1)
    assert matrix[:, 1, 1].log2().std().item() == pytest.approx(0.5, abs=0.02)
    both = draw_colour(AugmentSettings(brightness=1, contrast=1), Draws(1, percentile=0.8), 1)[0]
    normal = torch.erfinv(torch.tensor(0.6, dtype=torch.float64)).item()
    assert both[0, 3].item() == pytest.approx(0.2 * normal * 2 ** (0.5 * normal))


def test_luma_flip_mirrors_grey_and_keeps_chroma() -> None:
    matrix = _draw(lumaflip=1)
    flipped = matrix[:, 0, 0] < 0.5
    assert flipped.double().mean().item() == pytest.approx(0.5, abs=0.02)
    images = _images()
    result = apply_colour(images, matrix[flipped][:4])
    torch.testing.assert_close(result.mean(dim=1), -images.mean(dim=1))
    torch.testing.assert_close(result[:, 0] - result[:, 1], images[:, 0] - images[:, 1])


def test_hue_turns_red_to_green_at_a_third() -> None:
    third = AugmentSettings(hue=1, hue_max=2 / 3 / 0.6)
    matrix = draw_colour(third, Draws(1, percentile=0.8), 1)
    red = torch.tensor([1.0, 0, 0], dtype=torch.float64).reshape(1, 3, 1, 1)
    expected = torch.tensor([0, 1.0, 0], dtype=torch.float64).reshape(1, 3, 1, 1)
    torch.testing.assert_close(apply_colour(red, matrix), expected)


def test_saturation_moves_away_from_grey_and_keeps_luma() -> None:
    matrix = _draw(saturation=1)[:4]
    images = _images()
    result = apply_colour(images, matrix)
    torch.testing.assert_close(result.mean(dim=1), images.mean(dim=1))
    ratio = (result[:, 0] - result[:, 1]) / (images[:, 0] - images[:, 1])
    torch.testing.assert_close(ratio, ratio[:, :1, :1].expand_as(ratio))


@pytest.mark.parametrize("p", [0.3, 1.0])
def test_each_happens_with_its_probability(p: float) -> None:
    for name in ("brightness", "contrast", "hue", "saturation"):
        changed = (_draw(p, **{name: 1.0}) - torch.eye(4, dtype=torch.float64)).abs().amax(dim=(1, 2)) > 1e-12
        assert changed.double().mean().item() == pytest.approx(p, abs=0.02), name


def test_grey_images_are_changed_as_grey_pixels_of_colour_images() -> None:
    grey, matrix = _images(channels=1), _draw(**AUGMENT_PIPES["color"])[:4]
    colour = apply_colour(grey.expand(-1, 3, -1, -1), matrix)
    torch.testing.assert_close(apply_colour(grey, matrix), colour.mean(dim=1, keepdim=True))


def test_hue_at_half_a_turn_is_its_own_inverse() -> None:
    half = draw_colour(AugmentSettings(hue=1, hue_max=1 / 0.6), Draws(1, percentile=0.8), 1)[0]
    torch.testing.assert_close(half @ half, torch.eye(4, dtype=torch.float64))
    assert half[0, 0].item() == pytest.approx((1 + 2 * math.cos(math.pi)) / 3)


def test_refuses_other_channel_counts() -> None:
    with pytest.raises(ConfigError, match="1 or 3 channels, not 4"):
        apply_colour(_images(channels=4), _draw(hue=1)[:4])
