"""Resampling: the official outputs, a slow reference of the definition, finite differences."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan.ops import downsample2d, filter2d, setup_filter, upfirdn2d, upsample2d
from stylegan.ops.upfirdn2d import plain_upfirdn2d
from tests.stylegan.ops.golden import arrays, cases

Array = NDArray[np.float64]
CASES = cases("upfirdn2d")
MODES = [
    pytest.param({}, id="plain"),
    pytest.param({"up": 2, "padding": [2, 1, 2, 1], "gain": 4.0}, id="up"),
    pytest.param({"up": [2, 1], "padding": [1, 2, 0, 3]}, id="up-x"),
    pytest.param({"down": 2, "padding": [1, 1, 1, 1]}, id="down"),
    pytest.param({"down": [1, 2], "padding": 1}, id="down-y"),
    pytest.param({"up": 2, "down": 3, "padding": [3, 2]}, id="up-and-down"),
    pytest.param({"padding": [-1, 2, 1, -1], "flip_filter": True, "gain": 0.5}, id="crop-and-flip"),
]


def slow_upfirdn2d(
    x: Array,
    f: Array,
    up: tuple[int, int],
    down: tuple[int, int],
    padding: tuple[int, int, int, int],
    flip_filter: bool,
    gain: float,
) -> Array:
    """The definition, sample by sample; `f` is `[h, w]`, pairs are (x, y)."""
    n, c, height, width = x.shape
    upsampled = np.zeros([n, c, height * up[1], width * up[0]])
    for row, column in itertools.product(range(height), range(width)):
        upsampled[:, :, row * up[1], column * up[0]] = x[:, :, row, column]
    x0, x1, y0, y1 = padding
    rows, columns = upsampled.shape[2] + y0 + y1, upsampled.shape[3] + x0 + x1
    padded = np.zeros([n, c, rows, columns])
    for row, column in itertools.product(range(rows), range(columns)):
        if 0 <= row - y0 < upsampled.shape[2] and 0 <= column - x0 < upsampled.shape[3]:
            padded[:, :, row, column] = upsampled[:, :, row - y0, column - x0]
    kernel = f if flip_filter else f[::-1, ::-1]  # the sum below correlates
    fh, fw = f.shape
    filtered = np.zeros([n, c, rows - fh + 1, columns - fw + 1])
    for row, column in itertools.product(range(filtered.shape[2]), range(filtered.shape[3])):
        filtered[:, :, row, column] = (padded[:, :, row : row + fh, column : column + fw] * kernel).sum(
            (2, 3)
        )
    return filtered[:, :, :: down[1], :: down[0]] * gain


def random_case(seed: int) -> dict[str, Any]:
    """Odd sizes and lopsided settings, all within what the definition allows."""
    rng = np.random.default_rng(seed)
    case: dict[str, Any] = {
        "shape": (int(rng.integers(1, 3)), int(rng.integers(1, 4)), *map(int, rng.integers(5, 12, size=2))),
        "taps": tuple(map(int, rng.integers(1, 6, size=2))),
        "up": tuple(map(int, rng.integers(1, 4, size=2))),
        "down": tuple(map(int, rng.integers(1, 4, size=2))),
        "padding": tuple(map(int, rng.integers(-1, 5, size=4))),
        "flip_filter": bool(rng.integers(2)),
        "gain": float(rng.uniform(0.5, 4)),
    }
    return case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["key"])
def test_gives_the_official_output(case: dict[str, Any]) -> None:
    golden = arrays(case["key"])
    f = setup_filter(case["filter"], **case["setup"])
    torch.testing.assert_close(f, golden["f"], atol=1e-6, rtol=0)
    y = upfirdn2d(
        golden["x"], f, case["up"], case["down"], case["padding"], case["flip_filter"], case["gain"]
    )
    torch.testing.assert_close(y, golden["y"], atol=1e-4, rtol=0)


def test_official_cases_hold_separable_filters_crops_and_flips() -> None:
    assert len(CASES) == 15
    assert any(arrays(case["key"])["f"].ndim == 1 for case in CASES)
    assert any(min(case["padding"]) < 0 for case in CASES)
    assert {case["flip_filter"] for case in CASES} == {True, False}


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("separable", [False, True], ids=["2d", "separable"])
def test_follows_the_definition(seed: int, separable: bool) -> None:
    case = random_case(seed)
    rng = np.random.default_rng(1000 + seed)
    x = rng.standard_normal(case["shape"])
    taps = rng.standard_normal(case["taps"][0]) if separable else rng.standard_normal(case["taps"])
    settings = {key: case[key] for key in ("up", "down", "padding", "flip_filter", "gain")}
    expected = slow_upfirdn2d(x, np.outer(taps, taps) if separable else taps, **settings)
    actual = upfirdn2d(torch.from_numpy(x), torch.from_numpy(taps), **settings)
    np.testing.assert_allclose(actual.numpy(), expected, atol=1e-10)


@pytest.mark.parametrize("settings", MODES)
@pytest.mark.parametrize("taps", [[1.0, 3.0, 3.0, 1.0], list(range(1, 9))], ids=["2d", "separable"])
def test_first_and_second_derivatives(settings: dict[str, Any], taps: list[float]) -> None:
    # The filter is not symmetric where it matters, so that a backward that forgets to flip it shows.
    f = setup_filter([taps[0] + 1, *taps[1:]]).double()
    torch.manual_seed(0)
    x = torch.randn(1, 2, 8, 9, dtype=torch.float64, requires_grad=True)

    def resample(x: Tensor) -> Tensor:
        return upfirdn2d(x, f, **settings)

    assert gradcheck(resample, [x], fast_mode=True)
    assert gradgradcheck(resample, [x], fast_mode=True)


@pytest.mark.parametrize("settings", MODES)
def test_planar_and_channels_last_agree(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 5, 9, 8)
    f = setup_filter([1, 3, 3, 1])
    expected = upfirdn2d(x, f, **settings)
    actual = upfirdn2d(x.contiguous(memory_format=torch.channels_last), f, **settings)
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_close_and_keeps_its_dtype(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 8)
    f = setup_filter([1, 3, 3, 1])
    y = upfirdn2d(x.to(dtype), f, up=2, padding=[2, 1, 2, 1], gain=4)
    assert y.dtype == dtype
    torch.testing.assert_close(y.float(), upsample2d(x, f), atol=5 * torch.finfo(dtype).eps, rtol=0.01)


@pytest.mark.parametrize("taps", [[1, 1], [1, 2, 1], [1, 3, 3, 1], list(range(1, 10))])
@pytest.mark.parametrize("factor", [2, 3, [2, 1]])
def test_resampling_keeps_a_constant_and_scales_the_size(taps: list[float], factor: Any) -> None:
    fx, fy = (factor, factor) if isinstance(factor, int) else factor
    f = setup_filter(taps)
    x = torch.ones(1, 2, 36, 36)
    kept, up, down = filter2d(x, f), upsample2d(x, f, up=factor), downsample2d(x, f, down=factor)
    assert kept.shape == x.shape
    assert up.shape == (1, 2, 36 * fy, 36 * fx)
    assert down.shape == (1, 2, 36 // fy, 36 // fx)
    inside = (..., slice(6, -6), slice(6, -6))
    torch.testing.assert_close(kept[inside], torch.ones_like(kept[inside]))
    torch.testing.assert_close(down[..., 4:-4, 4:-4], torch.ones_like(down[..., 4:-4, 4:-4]))
    # The mean over whole periods, since the phases of a filter need not have the same weight.
    assert up[..., 9:-9, 9:-9].mean().item() == pytest.approx(1, abs=1e-5)


def test_resampling_is_centred() -> None:
    """Up and down again leaves a symmetric picture symmetric, with either parity of filter."""
    ramp = torch.linspace(-1, 1, 16).repeat(1, 1, 16, 1)
    for taps in ([1, 3, 3, 1], [1, 1]):
        f = setup_filter(taps)
        there = upsample2d(ramp, f)
        torch.testing.assert_close(there, -there.flip(3), atol=1e-6, rtol=0)
        back = downsample2d(there, f)
        torch.testing.assert_close(back, -back.flip(3), atol=1e-6, rtol=0)


def test_without_a_filter_samples_pass_unchanged() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 2, 4, 5)
    torch.testing.assert_close(upfirdn2d(x, None), x)
    torch.testing.assert_close(upfirdn2d(x, None, up=2)[:, :, ::2, ::2], x)
    torch.testing.assert_close(upfirdn2d(x, None, down=2), x[:, :, ::2, ::2])


def test_setup_filter_shapes_and_sums() -> None:
    assert setup_filter([1, 3, 3, 1]).shape == (4, 4)
    assert setup_filter(range(1, 8)).shape == (7, 7)
    assert setup_filter(range(1, 9)).shape == (8,)
    assert setup_filter([1, 2], separable=True).shape == (2,)
    assert setup_filter(range(1, 9), separable=False).shape == (8, 8)
    assert setup_filter(None).tolist() == setup_filter(5).tolist() == [[1]]
    for taps in ([1, 3, 3, 1], list(range(1, 9)), [[1, 2], [3, 4]]):
        assert setup_filter(taps).dtype == torch.float32
        assert setup_filter(taps).sum().item() == pytest.approx(1)
    torch.testing.assert_close(setup_filter([1, 2, 4], normalize=False).sum().item(), 49.0)


def test_setup_filter_flips_and_gains_after_normalising() -> None:
    torch.testing.assert_close(
        setup_filter([[1, 2], [3, 4]], flip_filter=True) * 10, torch.tensor([[4.0, 3], [2, 1]])
    )
    assert setup_filter([1, 3, 3, 1], gain=4).sum().item() == pytest.approx(4)
    assert setup_filter(range(1, 9), gain=4).sum().item() == pytest.approx(math.sqrt(4))
    assert setup_filter([1, 1], device="meta").device.type == "meta"


@pytest.mark.parametrize("taps", [[1, 2, 4], range(1, 13)])
def test_a_negative_gain_turns_the_sign(taps: Any) -> None:
    x, f = torch.randn(1, 2, 9, 9), setup_filter(taps, separable=True)
    torch.testing.assert_close(
        plain_upfirdn2d(x, f, padding=6, gain=-3.0), -plain_upfirdn2d(x, f, padding=6, gain=3.0)
    )
    with pytest.raises(ValueError, match="no negative gain, such as -2"):
        setup_filter(taps, gain=-2, separable=True)
    assert setup_filter([1, 3, 3, 1], gain=-2).sum().item() == pytest.approx(-2)


@pytest.mark.parametrize("padding", [[-7, 9, 2, 2], [9, -7, 2, 2], [0, 3, -6, 9], [-6, 9, 11, -7]])
def test_crops_what_the_other_sides_padding_made(padding: list[int]) -> None:
    x, f = torch.randn(1, 2, 5, 5, dtype=torch.float64), setup_filter([1, 2, 4])
    expected = slow_upfirdn2d(x.numpy(), f.numpy().astype(np.float64), (1, 1), (1, 1), padding, False, 1)
    torch.testing.assert_close(plain_upfirdn2d(x, f, padding=padding), torch.from_numpy(expected))


def test_double_precision_is_double_throughout() -> None:
    x, f = torch.randn(1, 1, 9, 9, dtype=torch.float64), setup_filter(range(1, 13))
    actual = plain_upfirdn2d(x, f, padding=6, gain=2)
    torch.testing.assert_close(actual, plain_upfirdn2d(x, f, padding=6) * 2, atol=1e-14, rtol=1e-14)


def test_autocast_leaves_the_dtype() -> None:
    x, f = torch.randn(1, 2, 9, 9), setup_filter([1, 3, 3, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual = plain_upfirdn2d(x, f, up=2)
    assert torch.equal(actual, plain_upfirdn2d(x, f, up=2))


def test_factors_may_be_numpys() -> None:
    x = torch.randn(1, 1, 4, 4)
    assert torch.equal(upfirdn2d(x, None, up=np.int64(2)), upfirdn2d(x, None, up=2))  # type: ignore[arg-type]


@pytest.mark.parametrize("taps", [[], [[[1.0]]]])
def test_setup_filter_refuses_other_shapes(taps: Any) -> None:
    with pytest.raises(ValueError, match="filter taps must be"):
        setup_filter(taps)


def test_setup_filter_refuses_a_separable_matrix() -> None:
    with pytest.raises(ValueError, match="1-D"):
        setup_filter([[1, 2], [3, 4]], separable=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"up": 0}, "at least 1"),
        ({"down": [1, 0]}, "at least 1"),
        ({"padding": [1, 2, 3]}, "1, 2 or 4 numbers"),
        ({"padding": -2}, "larger than the padded image"),
    ],
)
def test_refuses_what_makes_no_image(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        upfirdn2d(torch.zeros(1, 1, 4, 4), setup_filter([1, 3, 3, 1]), **settings)
