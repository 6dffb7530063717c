"""Morphology and filters, against loops over pixels."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bend.bends.filters import blur, median, sharpen, sobel
from bend.bends.morphology import dilate, ellipse_widths, erode


def plane(height: int = 9, width: int = 8) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def slow_dilate(x: Tensor, radius: int) -> Tensor:
    """The greatest value under OpenCV's elliptical element, pixel by pixel."""
    height, width = x.shape[2:]
    out = torch.empty_like(x)
    for j in range(height):
        for i in range(width):
            best = torch.full_like(x[:, :, 0, 0], -math.inf)
            for dy in range(-radius, radius + 1):
                reach = round(radius * math.sqrt(1 - (dy / radius) ** 2)) if radius else 0
                for dx in range(-reach, reach + 1):
                    if 0 <= j + dy < height and 0 <= i + dx < width:
                        best = torch.maximum(best, x[:, :, j + dy, i + dx])
            out[:, :, j, i] = best
    return out


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 5, 12])
def test_dilate_and_erode(radius: int) -> None:
    x = plane()
    assert torch.equal(dilate(x, radius), slow_dilate(x, radius))
    assert torch.equal(erode(x, radius), -slow_dilate(-x, radius))


@pytest.mark.parametrize("radius", [0.3, 1.25, 2.9])
def test_a_radius_between_blends_its_neighbours(radius: float) -> None:
    x, whole = plane(), math.floor(radius)
    below, above = slow_dilate(x, whole), slow_dilate(x, whole + 1)
    torch.testing.assert_close(dilate(x, radius), below + (radius - whole) * (above - below))


def test_the_element_is_an_ellipse() -> None:
    x = torch.zeros(1, 1, 5, 5)
    x[..., 2, 2] = 1
    np.testing.assert_array_equal(
        dilate(x, 2)[0, 0],
        [[0, 0, 1, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 1, 0, 0]],
    )
    assert ellipse_widths(1) == (1, 0)


def slow_blur(x: Tensor, sigma: float) -> Tensor:
    height, width = x.shape[2:]
    reach = math.ceil(3 * sigma)
    offsets = range(-reach, reach + 1)
    total = sum(math.exp(-(a * a + b * b) / (2 * sigma**2)) for a in offsets for b in offsets)
    out = torch.zeros_like(x)
    for j in range(height):
        for i in range(width):
            for dy in offsets:
                for dx in offsets:
                    share = math.exp(-(dx * dx + dy * dy) / (2 * sigma**2)) / total
                    row, column = min(max(j + dy, 0), height - 1), min(max(i + dx, 0), width - 1)
                    out[:, :, j, i] += share * x[:, :, row, column]
    return out


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.2])
def test_blur(sigma: float) -> None:
    torch.testing.assert_close(blur(plane(), sigma), slow_blur(plane(), sigma))


def test_sharpen_is_what_blur_takes_away() -> None:
    x = plane()
    torch.testing.assert_close(sharpen(x, 1.5), x + 1.5 * (x - slow_blur(x, 1.0)))


def test_sobel() -> None:
    x = plane()
    padded = np.pad(x.numpy(), [(0, 0), (0, 0), (1, 1), (1, 1)], mode="edge")
    kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    expected = np.zeros(x.shape)
    for j in range(x.shape[2]):
        for i in range(x.shape[3]):
            window = padded[:, :, j : j + 3, i : i + 3]
            across, down = (window * kernel).sum((2, 3)), (window * kernel.T).sum((2, 3))
            expected[:, :, j, i] = np.hypot(across, down)
    np.testing.assert_allclose(sobel(x), expected, atol=2e-6)


@pytest.mark.parametrize("radius", [1, 2])
def test_median(radius: int) -> None:
    x = plane()
    padded = np.pad(x.numpy(), [(0, 0), (0, 0), (radius, radius), (radius, radius)], mode="edge")
    side = 2 * radius + 1
    for j in range(x.shape[2]):
        for i in range(x.shape[3]):
            expected = np.median(padded[:, :, j : j + side, i : i + side], axis=(2, 3))
            np.testing.assert_array_equal(median(x, radius)[:, :, j, i], expected)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("sigma", [0.4, 3.0, 30.0])
def test_blur_of_several_blocks(sigma: float, memory_format: torch.memory_format) -> None:
    x = torch.randn(2, 3, 70, 150, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    reach = math.ceil(3 * sigma)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64)
    taps = torch.exp(-offsets.square() / (2 * sigma**2))
    taps /= taps.sum()
    padded = F.pad(x, [reach] * 4, mode="replicate")
    expected = F.conv2d(padded, taps.expand(3, 1, 1, -1), groups=3)
    expected = F.conv2d(expected, taps[:, None].expand(3, 1, -1, 1), groups=3)
    found = blur(x.contiguous(memory_format=memory_format), sigma)
    torch.testing.assert_close(found, expected)
    assert found.is_contiguous(memory_format=memory_format)


def test_blur_compiles_nothing_that_is_kept(capfd: pytest.CaptureFixture[str]) -> None:
    x = torch.randn(1, 24, 33, 31)
    with torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON_CREATION):
        blur(x, 1.5)
    assert "create" not in capfd.readouterr().out


def test_a_large_median_is_taken_of_some_channels_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    stack = torch.stack

    def measured(tensors: list[Tensor], dim: int) -> Tensor:
        nonlocal largest
        found = stack(tensors, dim)
        largest = max(largest, found.numel())
        return found

    x = torch.randn(1, 20, 32, 32)
    whole = stack([median(x[:, i : i + 1], 8) for i in range(20)], dim=1)[:, :, 0]
    monkeypatch.setattr(torch, "stack", measured)
    assert torch.equal(median(x, 8), whole)
    assert largest <= 1 << 22
