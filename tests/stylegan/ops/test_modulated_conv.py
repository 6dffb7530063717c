"""Modulated convolution: against weights written out for each sample, in every precision."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan.ops import conv2d_resample, modulated_conv2d, setup_filter

FILTER = setup_filter([1, 3, 3, 1])
MODES = [
    pytest.param({"padding": 1}, id="same"),
    pytest.param({"padding": 1, "up": 2, "flip_weight": False}, id="up"),
    pytest.param({"padding": 1, "down": 2}, id="down"),
    pytest.param({"padding": 1, "demodulate": False}, id="not-demodulated"),
]


def draw(kernel: int = 3, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    """x `[3, 4, 8, 8]`, weight `[6, 4, k, k]`, styles `[3, 4]`."""
    torch.manual_seed(0)
    x = torch.randn(3, 4, 8, 8, dtype=dtype)
    return x, torch.randn(6, 4, kernel, kernel, dtype=dtype), torch.randn(3, 4, dtype=dtype) + 1


def slow_modulated_conv2d(
    x: Tensor, weight: Tensor, styles: Tensor, *, demodulate: bool = True, **options: Any
) -> Tensor:
    """Equations 1 to 3 of arXiv 1912.04958, one sample at a time."""
    results = []
    for sample, style in zip(x, styles, strict=True):
        own = weight * style[None, :, None, None]
        if demodulate:
            own = own * (own.square().sum(dim=[1, 2, 3], keepdim=True) + 1e-8).rsqrt()
        results.append(conv2d_resample(sample[None], own, FILTER.to(x.dtype), **options))
    return torch.cat(results)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("options", MODES)
def test_is_a_convolution_with_each_samples_own_weights(options: dict[str, Any], kernel: int) -> None:
    x, weight, styles = draw(kernel, torch.float64)
    options = {**options, "padding": kernel // 2}
    actual = modulated_conv2d(x, weight, styles, resample_filter=FILTER.double(), **options)
    expected = slow_modulated_conv2d(x, weight, styles, **options)
    torch.testing.assert_close(actual, expected, atol=1e-10, rtol=0)


def test_demodulated_output_has_unit_variance_whatever_the_style() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 32, 24, 24)
    styles = torch.randn(4, 32) * torch.tensor([0.1, 1, 10, 100])[:, None]
    y = modulated_conv2d(x, torch.randn(16, 32, 3, 3), styles)  # no padding, whose zeros would count
    torch.testing.assert_close(y.var(dim=[2, 3]).mean(dim=1), torch.ones(4), atol=0.15, rtol=0)


@pytest.mark.parametrize("shape", [(3, 1, 8, 8), (8, 8)], ids=["per-sample", "const"])
def test_noise_is_added_to_every_channel(shape: tuple[int, ...]) -> None:
    x, weight, styles = draw()
    noise = torch.randn(shape)
    plain = modulated_conv2d(x, weight, styles, padding=1)
    noisy = modulated_conv2d(x, weight, styles, padding=1, noise=noise)
    torch.testing.assert_close(noisy - plain, noise.expand_as(plain), atol=1e-5, rtol=0)


@pytest.mark.parametrize("options", MODES)
def test_first_and_second_derivatives(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    f = setup_filter([1, 2, 3, 1]).double()
    x = torch.randn(2, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    styles = (torch.randn(2, 2, dtype=torch.float64) + 2).requires_grad_()

    def convolve(x: Tensor, weight: Tensor, styles: Tensor) -> Tensor:
        return modulated_conv2d(x, weight, styles, resample_filter=f, **options)

    assert gradcheck(convolve, [x, weight, styles], fast_mode=True)
    assert gradgradcheck(convolve, [x, weight, styles], fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("options", MODES)
def test_half_precision_is_close(options: dict[str, Any], dtype: torch.dtype) -> None:
    x, weight, styles = draw()
    expected = modulated_conv2d(x, weight, styles, resample_filter=FILTER, **options)
    actual = modulated_conv2d(x.to(dtype), weight, styles, resample_filter=FILTER, **options)
    assert actual.dtype == dtype
    tolerance = 8 * torch.finfo(dtype).eps * expected.abs().max().item()
    torch.testing.assert_close(actual.float(), expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize(("weight_scale", "style_scale"), [(300.0, 300.0), (1e-3, 1.0), (1e4, 1.0)])
def test_float16_stays_in_range_whatever_the_scales(weight_scale: float, style_scale: float) -> None:
    """The products and their squares would overflow without the scaling beforehand."""
    torch.manual_seed(0)
    x = torch.randn(2, 64, 8, 8) * 50
    weight, styles = torch.randn(8, 64, 3, 3) * weight_scale, torch.randn(2, 64) * style_scale
    expected = modulated_conv2d(x.double(), weight.double(), styles.double(), padding=1)
    actual = modulated_conv2d(x.half(), weight, styles, padding=1)
    assert torch.isfinite(actual).all()
    error = (actual.double() - expected).abs().max() / expected.abs().max()
    assert error < 0.01


def test_float16_survives_silenced_channels_and_styles() -> None:
    x, weight, styles = draw()
    weight[2] = 0
    styles[1] = 0
    y = modulated_conv2d(x.half(), weight, styles, padding=1)
    assert torch.isfinite(y).all()
    assert y[:, 2].abs().max() == 0
    assert y[1].abs().max() == 0
    assert y[0, 0].std() > 0.1


def test_planar_and_channels_last_agree() -> None:
    x, weight, styles = draw()
    for up in (1, 2):
        options: dict[str, Any] = {"padding": 1, "up": up, "resample_filter": FILTER}
        expected = modulated_conv2d(x, weight, styles, **options)
        last = x.contiguous(memory_format=torch.channels_last)
        actual = modulated_conv2d(last, weight, styles, **options)
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


def test_scaling_a_style_changes_nothing_after_demodulation() -> None:
    x, weight, styles = draw(dtype=torch.float64)
    once, thrice = (modulated_conv2d(x, weight, styles * s, padding=1) for s in (1, 3))
    torch.testing.assert_close(once, thrice, atol=1e-7, rtol=0)
    plain = modulated_conv2d(x, weight, styles * math.pi, padding=1, demodulate=False)
    torch.testing.assert_close(
        plain, modulated_conv2d(x, weight, styles, padding=1, demodulate=False) * math.pi, atol=1e-9, rtol=0
    )
