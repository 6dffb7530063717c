"""Band gains: the filter bank, the drawn gains, the filtering."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.augment.draws import Draws
from stylegan.augment.filters import band_filters, draw_gains, filter_bands
from stylegan.augment.settings import AugmentSettings

MANY = 20000
POWER = torch.tensor([10, 1, 1, 1], dtype=torch.float64) / 13


def _draw(p: float = 1, **settings: float | tuple[float, ...]) -> Tensor:
    draws = Draws(MANY, generator=torch.Generator().manual_seed(0))
    return draw_gains(AugmentSettings(imgfilter=1, **settings), draws, p)  # type: ignore[arg-type]


def _images(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_bands_sum_to_the_unit_impulse_and_are_symmetric() -> None:
    bank = band_filters()
    assert bank.shape == (4, 43)
    impulse = torch.zeros(43, dtype=torch.float64)
    impulse[21] = 1
    torch.testing.assert_close(bank.sum(dim=0), impulse, rtol=0, atol=1e-12)
    torch.testing.assert_close(bank, bank.flip(1), rtol=0, atol=1e-15)


def test_each_band_passes_its_own_octave() -> None:
    responses = torch.fft.rfft(band_filters(), n=512).abs()  # 257 frequencies from 0 to π
    centres = [8, 48, 96, 192]  # of [0, π/8], [π/8, π/4], [π/4, π/2], [π/2, π]
    for band, centre in enumerate(centres):
        assert responses[:, centre].argmax() == band
        assert responses[band, centre] > 0.7


def test_gains_keep_the_expected_power() -> None:
    one_band = _draw(imgfilter_bands=(0.0, 1.0, 0.0, 0.0))
    power = (one_band.square() * POWER).sum(dim=1)
    torch.testing.assert_close(power, torch.ones(MANY, dtype=torch.float64))
    ratio = (one_band[:, 1] / one_band[:, 0]).log2()
    assert ratio.std().item() == pytest.approx(1, abs=0.03)


def test_a_band_changes_with_its_probability() -> None:
    changed = ((_draw(0.5, imgfilter_bands=(0.0, 0.0, 0.6, 0.0)) - 1).abs() > 1e-9).any(dim=1)
    assert changed.double().mean().item() == pytest.approx(0.3, abs=0.02)
    torch.testing.assert_close(_draw(0), torch.ones([MANY, 4], dtype=torch.float64))


def test_filtering_is_a_convolution_with_reflection() -> None:
    images, gains = _images(2, 3, 32, 24), _draw()[:2]
    result = filter_bands(images, gains)
    for i in range(2):
        kernel = gains[i] @ band_filters()
        x = F.pad(images[i][:, None], [21, 21, 21, 21], mode="reflect")
        expected = F.conv2d(F.conv2d(x, kernel[None, None, None]), kernel[None, None, :, None])
        torch.testing.assert_close(result[i], expected[:, 0])


def test_images_without_a_gain_stay_as_they_are() -> None:
    images, gains = _images(3, 1, 16, 16), _draw()[:3].clone()
    gains[1] = 1
    result = filter_bands(images, gains)
    assert torch.equal(result[1], images[1])
    assert not torch.equal(result[0], images[0])
    assert filter_bands(images, torch.ones_like(gains)) is images


@pytest.mark.parametrize("size", [1, 2, 8, 16])
def test_small_images_reflect_more_than_once(size: int) -> None:
    constant = torch.full([2, 3, size, size], 0.7, dtype=torch.float64)
    gains = _draw()[:2]
    expected = constant * gains[:, 0, None, None, None] ** 2  # a constant has only the lowest frequency
    torch.testing.assert_close(filter_bands(constant, gains), expected, rtol=1e-3, atol=1e-3)
