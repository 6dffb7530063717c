"""Resampling convolutions: the official outputs, the three steps they stand for, finite differences."""

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan.ops import conv2d_resample, setup_filter, upfirdn2d
from tests.stylegan.ops.golden import arrays, cases

CASES = cases("conv2d_resample")
TAPS = {"none": None, "2x2": [1, 1], "4x4": [1, 3, 3, 1], "odd": [1, 2, 4], "separable": list(range(1, 9))}
FACTORS = [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (1, 3)]


def slow_conv2d_resample(
    x: Tensor, w: Tensor, f: Tensor | None, up: int, down: int, padding: int, groups: int, flip_weight: bool
) -> Tensor:
    """Upsample with all the padding, convolve, downsample: as it is defined, three passes."""
    taps = 1 if f is None else f.shape[-1]
    before = after = padding
    if up > 1:
        before, after = before + (taps + up - 1) // 2, after + (taps - up) // 2
    if down > 1:
        before, after = before + (taps - down + 1) // 2, after + (taps - down) // 2
    x = upfirdn2d(x, f if up > 1 else None, up=up, padding=[before, after, before, after], gain=up**2)
    x = F.conv2d(x, w if flip_weight else w.flip([2, 3]), groups=groups)
    return x if down == 1 else upfirdn2d(x, f, down=down)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["key"])
def test_gives_the_official_output(case: dict[str, Any]) -> None:
    golden = arrays(case["key"])
    options = {key: case[key] for key in ("up", "down", "padding", "flip_weight")}
    y = conv2d_resample(golden["x"], golden["w"], setup_filter(case["filter"]), **options)
    torch.testing.assert_close(y, golden["y"], atol=1e-4, rtol=0)


def test_official_cases_cover_both_directions_and_both_kernels() -> None:
    assert {(case["up"], case["down"]) for case in CASES} == {(1, 1), (2, 1), (1, 2)}
    assert {arrays(case["key"])["w"].shape[-1] for case in CASES} == {1, 3}


@pytest.mark.parametrize("taps", TAPS)
@pytest.mark.parametrize("kernel", [1, 3, 4])
@pytest.mark.parametrize(("up", "down"), FACTORS)
def test_every_order_of_the_steps_is_the_same(up: int, down: int, kernel: int, taps: str) -> None:
    torch.manual_seed(0)
    f = None if TAPS[taps] is None else setup_filter(TAPS[taps]).double()
    x = torch.randn(2, 4, 12, 9, dtype=torch.float64)
    for groups, flip_weight, padding in itertools.product((1, 2), (True, False), (0, 2)):
        w = torch.randn(6, 4 // groups, kernel, kernel, dtype=torch.float64)
        expected = slow_conv2d_resample(x, w, f, up, down, padding, groups, flip_weight)
        actual = conv2d_resample(x, w, f, up, down, padding, groups, flip_weight)
        torch.testing.assert_close(actual, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2)])
def test_same_padding_scales_the_size(up: int, down: int, kernel: int) -> None:
    x, w = torch.zeros(1, 2, 8, 12), torch.zeros(5, 2, kernel, kernel)
    y = conv2d_resample(x, w, setup_filter([1, 3, 3, 1]), up, down, padding=kernel // 2)
    assert y.shape == (1, 5, 8 * up // down, 12 * up // down)


@pytest.mark.parametrize("padding", [[0, 2, 1, 0], [-1, 1, 0, -2], -1])
def test_padding_may_be_lopsided_and_may_crop(padding: Any) -> None:
    torch.manual_seed(0)
    x, w = torch.randn(1, 2, 7, 8), torch.randn(3, 2, 3, 3)
    pads = [padding] * 4 if isinstance(padding, int) else padding
    expected = F.conv2d(F.pad(x, pads), w)
    torch.testing.assert_close(conv2d_resample(x, w, padding=padding), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_first_and_second_derivatives(up: int, down: int, kernel: int) -> None:
    torch.manual_seed(0)
    f = setup_filter([1, 2, 3, 1]).double()
    x = torch.randn(1, 2, 6, 6, dtype=torch.float64, requires_grad=True)
    w = torch.randn(3, 2, kernel, kernel, dtype=torch.float64, requires_grad=True)

    def convolve(x: Tensor, w: Tensor) -> Tensor:
        return conv2d_resample(x, w, f, up, down, padding=kernel // 2, flip_weight=up == 1)

    assert gradcheck(convolve, [x, w], fast_mode=True)
    assert gradgradcheck(convolve, [x, w], fast_mode=True)


@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2)])
def test_planar_and_channels_last_agree(up: int, down: int) -> None:
    torch.manual_seed(0)
    f, w = setup_filter([1, 3, 3, 1]), torch.randn(6, 4, 3, 3)
    x = torch.randn(2, 4, 8, 8)
    expected = conv2d_resample(x, w, f, up, down, padding=1)
    actual = conv2d_resample(x.contiguous(memory_format=torch.channels_last), w, f, up, down, padding=1)
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)
