"""What CUDA threads compute before a layer's convolution, emulated on a CPU."""

import ctypes

import pytest
import torch

from tests.stylegan.ops.native.emulation import EACH_DTYPE, demodulate, lay_out, layout, scale_channels

# (samples, outputs, inputs): fewer than a block takes of each, as many, and more
SIZES = [(1, 5, 3), (8, 32, 128), (9, 33, 130), (20, 70, 48)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_demodulation(emulated: ctypes.CDLL, size: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    n, outputs, inputs = size
    weight, styles = torch.randn(outputs, inputs, 3, 3), torch.randn(n, inputs)
    demodulation, scales, gains = demodulate(emulated, weight, styles, False)
    assert torch.equal(scales, styles)
    assert torch.equal(gains, torch.ones(outputs))
    w, s = weight.double(), styles.double()
    sums = torch.einsum("oikl,ni->no", w.square(), s.square())
    torch.testing.assert_close(demodulation.double(), (sums + 1e-8).rsqrt(), rtol=2e-6, atol=0)


@pytest.mark.parametrize("factor", [1.0, 3e4, 1e-30, 0.0])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_demodulation_in_range(emulated: ctypes.CDLL, size: tuple[int, int, int], factor: float) -> None:
    torch.manual_seed(0)
    n, outputs, inputs = size
    weight, styles = torch.randn(outputs, inputs, 3, 3) * factor, torch.randn(n, inputs) * factor
    demodulation, scales, gains = demodulate(emulated, weight, styles, True)
    w, s = weight.double(), styles.double()
    expected_gains = (inputs * 9) ** -0.5 / w.abs().amax([1, 2, 3]).clamp(min=1e-20)
    expected_scales = s / s.abs().amax(1, keepdim=True).clamp(min=1e-20)
    torch.testing.assert_close(gains.double(), expected_gains, rtol=1e-6, atol=0)
    torch.testing.assert_close(scales.double(), expected_scales, rtol=1e-6, atol=1e-12)
    scaled = (w * expected_gains[:, None, None, None]).square()
    sums = torch.einsum("oikl,ni->no", scaled, expected_scales.square())
    torch.testing.assert_close(demodulation.double(), (sums + 1e-8).rsqrt(), rtol=4e-6, atol=0)


def test_what_is_not_a_number_spoils_its_sample_alone(emulated: ctypes.CDLL) -> None:
    weight, styles = torch.randn(4, 20, 3, 3), torch.randn(3, 20)
    styles[1, 7] = torch.nan
    styles[2, 3] = torch.inf
    for is_bounded in (False, True):
        demodulation, scales, _ = demodulate(emulated, weight, styles, is_bounded)
        assert demodulation[0].isfinite().all()
        assert not scales[1:].isfinite().all(1).any()
        assert demodulation[1].isnan().all()


@pytest.mark.parametrize("is_transposed", [False, True])
@pytest.mark.parametrize("dtype", EACH_DTYPE)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_weights_are_laid_out(
    emulated: ctypes.CDLL, size: tuple[int, int, int], dtype: torch.dtype, is_transposed: bool
) -> None:
    torch.manual_seed(0)
    _, outputs, inputs = size
    weight, gains = torch.randn(outputs, inputs, 3, 3), torch.rand(outputs) + 0.5
    for scales in (None, torch.rand(inputs) + 0.5):
        actual = lay_out(emulated, torch.empty(0, dtype=dtype), weight, gains, scales, is_transposed)
        expected = weight * gains[:, None, None, None]
        expected = expected if scales is None else expected * scales[:, None, None]
        expected = expected.transpose(0, 1) if is_transposed else expected
        assert actual.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(actual, expected.to(dtype))


@pytest.mark.parametrize("is_last", [True, False], ids=["last", "planar"])
@pytest.mark.parametrize("dtype", EACH_DTYPE)
@pytest.mark.parametrize(
    "size", [(1, 16, 4, 4), (3, 24, 5, 7), (2, 5, 8, 8), (2, 8, 1, 3), (4, 1, 3, 3)], ids=str
)
def test_channels_are_scaled(
    emulated: ctypes.CDLL, size: tuple[int, int, int, int], dtype: torch.dtype, is_last: bool
) -> None:
    torch.manual_seed(0)
    x = torch.randn(size).to(dtype).contiguous(memory_format=layout(is_last))
    scales = torch.randn(size[:2])
    actual, width = scale_channels(emulated, x, scales)
    across = size[1] if is_last and size[1] > 1 else size[2] * size[3]
    assert width == (16 // dtype.itemsize if across % (16 // dtype.itemsize) == 0 else 1)
    assert actual.stride() == x.stride()
    assert torch.equal(actual, (x.float() * scales[:, :, None, None]).to(dtype))
