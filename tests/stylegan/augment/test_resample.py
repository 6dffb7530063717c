"""Warping: exactness, the two ways of up- and downsampling, margins, derivatives."""

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan.augment import resample
from stylegan.augment.resample import warp

SIZES = pytest.mark.parametrize("size", [(12, 12), (16, 9)], ids=["square", "oblong"])


def _images(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def _maps(*angles_scales_shifts: tuple[float, float, float]) -> Tensor:
    rows = []
    for angle, scale, shift in angles_scales_shifts:
        c, s = scale * math.cos(angle), scale * math.sin(angle)
        rows.append([[c, -s, shift], [s, c, -shift / 2], [0, 0, 1]])
    return torch.tensor(rows, dtype=torch.float64)


def test_the_identity_returns_the_images_themselves() -> None:
    images = _images(2, 3, 8, 8)
    assert warp(images, _maps((0, 1, 0), (0, 1, 0))) is images


@SIZES
def test_resampling_by_the_identity_loses_nothing(size: tuple[int, int]) -> None:
    images = _images(1, 3, *size)
    torch.testing.assert_close(resample._resample(images, _maps((0, 1, 0))), images, rtol=0, atol=1e-9)


def test_a_shift_by_whole_pixels_loses_nothing() -> None:
    images = _images(1, 3, 8, 8)
    shifted = warp(images, torch.tensor([[[1, 0, 2.0], [0, 1, -1], [0, 0, 1]]], dtype=torch.float64))
    torch.testing.assert_close(shifted[:, :, 1:, :-2], images[:, :, :-1, 2:], rtol=0, atol=1e-9)
    torch.testing.assert_close(shifted[:, :, 0, :-2], images[:, :, 1, 2:], rtol=0, atol=1e-9)  # reflected
    torch.testing.assert_close(shifted[:, :, 1:, -2], images[:, :, :-1, -2], rtol=0, atol=1e-9)


def test_each_image_takes_its_own_map_and_still_ones_stay() -> None:
    images, maps = _images(3, 3, 16, 16), _maps((0.3, 1, 2), (0, 1, 0), (0, 1.3, 0))
    together = warp(images, maps)
    for i in range(3):
        torch.testing.assert_close(together[i : i + 1], warp(images[i : i + 1], maps[i : i + 1]))
    assert torch.equal(together[1], images[1])


@SIZES
def test_filters_and_matrices_agree(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    images, maps = _images(2, 3, *size), _maps((0.4, 1.2, 1), (2, 0.8, -2.3))
    dense = warp(images, maps)
    monkeypatch.setattr(resample, "_DENSE_SIZE", 4)
    torch.testing.assert_close(warp(images, maps), dense, rtol=0, atol=1e-12)


@SIZES
@pytest.mark.parametrize("angle", [0.0, 0.7, 2.5])
@pytest.mark.parametrize("shift", [0.0, 1.6, -3.1])
def test_margins_reach_every_pixel_read(
    size: tuple[int, int], angle: float, shift: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, maps = _images(1, 1, *size), _maps((angle, 0.6, shift))
    tight = warp(images, maps)
    widest = [size[1] - 1, size[1] - 1, size[0] - 1, size[0] - 1]
    assert resample._find_margins(maps, *size) != widest
    monkeypatch.setattr(resample, "_find_margins", lambda *_: widest)
    torch.testing.assert_close(warp(images, maps), tight, rtol=0, atol=1e-12)


def test_margins_are_as_small_as_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    images, maps = _images(1, 1, 16, 16), _maps((0, 1.1, 0.4))
    margins = resample._find_margins(maps, 16, 16)
    monkeypatch.setattr(resample, "_find_margins", lambda *_: [m - 2 for m in margins])
    starved = warp(images, maps)
    monkeypatch.undo()
    assert (warp(images, maps) - starved).abs().max() > 1e-6


def test_what_lies_beyond_one_reflection_is_nought() -> None:
    far = warp(torch.ones([1, 1, 8, 8], dtype=torch.float64), _maps((0, 1, 40)))
    assert far.abs().max() == 0


def test_a_constant_image_stays_constant() -> None:
    grey = torch.full([2, 3, 16, 16], 0.5, dtype=torch.float64)
    torch.testing.assert_close(warp(grey, _maps((0.5, 1.1, 1), (2, 0.7, 3))), grey, rtol=0, atol=1e-9)


def test_two_derivatives() -> None:
    images, maps = _images(2, 1, 5, 5).requires_grad_(), _maps((0.4, 1.2, 1), (0, 1, 0))
    assert gradcheck(lambda x: warp(x, maps), images, fast_mode=True)
    assert gradgradcheck(lambda x: warp(x, maps).square(), images, fast_mode=True)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_tiny_images_are_warped(size: int) -> None:
    assert torch.isfinite(warp(_images(1, 3, size, size), _maps((1, 1.5, 0.5)))).all()
