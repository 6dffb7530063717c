"""Moving the plane, against loops over pixels and against numpy."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from bend.bends.geometry import (
    EDGES,
    flip_h,
    flip_v,
    mirror_h,
    mirror_v,
    rotate,
    scale,
    swirl,
    translate,
    wave,
)

Plane = NDArray[np.float64]


def plane(height: int = 6, width: int = 7) -> Tensor:
    return torch.randn(1, 2, height, width, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def slow(x: Tensor, source: object, edge: str) -> Tensor:
    """Every output pixel on its own: `source(x, y)`, relative to the centre, gives where it comes from."""
    height, width = x.shape[2:]
    out = torch.zeros_like(x)
    for j in range(height):
        for i in range(width):
            sx, sy = source(i - (width - 1) / 2, j - (height - 1) / 2)  # type: ignore[operator]
            sx, sy = sx + (width - 1) / 2, sy + (height - 1) / 2
            for row in (math.floor(sy), math.floor(sy) + 1):
                for column in (math.floor(sx), math.floor(sx) + 1):
                    share = (1 - abs(sx - column)) * (1 - abs(sy - row))
                    at_row, at_column = fold(row, height, edge), fold(column, width, edge)
                    if share > 0 and at_row is not None and at_column is not None:
                        out[:, :, j, i] += share * x[:, :, at_row, at_column]
    return out


def fold(index: int, size: int, edge: str) -> int | None:
    if edge == "zero":
        return index if 0 <= index < size else None
    if edge == "smear":
        return min(max(index, 0), size - 1)
    if edge == "wrap":
        return index % size
    while not 0 <= index < size:
        index = -index if index < 0 else 2 * (size - 1) - index
    return index


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("degrees", [30.0, -77.5, 400.0])
def test_rotate(degrees: float, edge: str) -> None:
    # Counter-clockwise as seen, with y pointing down: what was on the right ends up at the top.
    angle = math.radians(degrees)

    def source(x: float, y: float) -> tuple[float, float]:
        return math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y

    torch.testing.assert_close(
        rotate(plane(), degrees, edge=edge), slow(plane(), source, edge), rtol=0, atol=1e-5
    )


def test_quarter_turns_move_values_unchanged() -> None:
    x = plane(6, 6)
    for quarters in range(-2, 5):
        assert torch.equal(rotate(x, 90.0 * quarters), x.rot90(quarters, dims=(2, 3)))


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("factor", [1.3, 0.4, 3.0])
def test_scale(factor: float, edge: str) -> None:
    expected = slow(plane(), lambda x, y: (x / factor, y / factor), edge)
    torch.testing.assert_close(scale(plane(), factor, edge=edge), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize(("dx", "dy"), [(0.25, 0.0), (-0.6, 0.35), (2.5, -1.5)])
def test_translate(dx: float, dy: float, edge: str) -> None:
    expected = slow(plane(), lambda x, y: (x - dx * 7, y - dy * 6), edge)
    torch.testing.assert_close(translate(plane(), dx, dy, edge=edge), expected, rtol=0, atol=1e-5)


def test_whole_steps_to_the_right() -> None:
    x = plane(4, 8)
    moved = translate(x, 0.25, 0.0)
    assert torch.equal(moved[..., 2:], x[..., :-2])
    assert not moved[..., :2].any()
    assert torch.equal(translate(x, 0.25, 0.5, edge="wrap"), x.roll((2, 2), dims=(2, 3)))


def test_flips_and_mirrors() -> None:
    x = plane(5, 6)
    np.testing.assert_array_equal(flip_h(x)[0, 0], np.fliplr(x[0, 0]))
    np.testing.assert_array_equal(flip_v(x)[0, 0], np.flipud(x[0, 0]))
    assert torch.equal(mirror_h(x)[..., :3], x[..., :3])
    assert torch.equal(mirror_h(x), mirror_h(x).flip(3))
    assert torch.equal(mirror_v(x)[:, :, :3], x[:, :, :3])
    assert torch.equal(mirror_v(x), mirror_v(x).flip(2))


def test_swirl_turns_the_centre_only() -> None:
    def source(x: float, y: float) -> tuple[float, float]:
        radius = 2 * math.hypot(x / 7, y / 6)
        angle = math.radians(120) * max(1 - radius, 0) ** 2
        return math.cos(angle) * x - math.sin(angle) * y, math.sin(angle) * x + math.cos(angle) * y

    x = plane()
    torch.testing.assert_close(swirl(x, 120.0), slow(x, source, "zero"), rtol=0, atol=1e-5)
    assert torch.equal(swirl(x, 120.0)[..., 0, 0], x[..., 0, 0])


def test_wave_shifts_rows() -> None:
    def source(x: float, y: float) -> tuple[float, float]:
        return x - 0.2 * 7 * math.sin(2 * math.pi * (1.5 * (y / 6 + 0.5) + 0.1)), y

    torch.testing.assert_close(
        wave(plane(), 0.2, 1.5, 0.1, edge="wrap"), slow(plane(), source, "wrap"), rtol=0, atol=1e-5
    )


def test_channels_last_stays_so() -> None:
    x = plane().contiguous(memory_format=torch.channels_last)
    assert rotate(x, 20.0).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(rotate(x, 20.0), rotate(plane(), 20.0))


def test_second_gradients() -> None:
    x = plane(4, 4).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda y: rotate(y, 25.0).square(), (x,))
