"""What CUDA threads compute after a layer's convolution and in to-RGB layers, emulated on a CPU."""

import ctypes
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.stylegan.ops.native.emulation import EACH_DTYPE, finish_layer, layout, numbers, to_rgb

SLOPES = {"linear": 1.0, "relu": 0.0, "lrelu": 0.2}


def drawn(shape: Sequence[int], dtype: torch.dtype, is_last: bool) -> Tensor:
    return torch.randn(shape).to(dtype).contiguous(memory_format=layout(is_last))


def filtered(x: Tensor, taps: Tensor) -> Tensor:
    """`x` correlated with taps along y and x, one row and column fewer."""
    kernel = torch.outer(taps[0], taps[1]).double().expand(x.shape[1], 1, 4, 4)
    return torch.nn.functional.conv2d(x.double(), kernel, padding=1, groups=x.shape[1])


def finished(
    x: Tensor, demodulation: Tensor, noise: Tensor | None, bias: Tensor, taps: Tensor | None, **options: Any
) -> Tensor:
    """What the kernel is to compute, in float64."""
    y = x.double() if taps is None else filtered(x, taps)
    y = y * demodulation.double()[:, :, None, None] + bias.double()[:, None, None]
    y = y if noise is None else y + noise.double()
    y = torch.where(y > 0, y, y * options["slope"]) * options["gain"]
    return y if options["clamp"] < 0 else y.clamp(-options["clamp"], options["clamp"])


def operands(
    n: int, channels: int, height: int, width: int, dtype: torch.dtype, *, is_last: bool, noise: str, up: bool
) -> tuple[Tensor, Tensor, Tensor | None, Tensor, Tensor | None]:
    torch.manual_seed(0)
    crop = 1 if up else 0
    x = drawn((n, channels, height + crop, width + crop), dtype, is_last)
    shapes = {"shared": (1, 1, height, width), "own": (n, 1, height, width)}
    drawn_noise = None if noise == "none" else torch.randn(shapes[noise])
    taps = torch.tensor([[0.1, 0.9, 0.5, 0.3], [0.2, 0.7, 0.4, -0.1]]) if up else None
    return x, torch.rand(n, channels) + 0.5, drawn_noise, torch.randn(channels), taps


def assert_close(actual: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    """To the rounding of the result."""
    rtol = 2e-6 if dtype == torch.float32 else 0.51 * torch.finfo(dtype).eps
    torch.testing.assert_close(actual.double(), expected, atol=5e-6, rtol=rtol)


# Fewer rows and columns than taps, and many more than a strip's; channels in whole packs, more packs than lie side by
# side, numbers of packs that fill no whole number of sides, and channels that do not fill packs.
SIZES = [
    (1, 16, 4, 4),
    (3, 8, 1, 1),
    (2, 24, 9, 5),
    (1, 144, 17, 3),
    (2, 72, 2, 19),
    (1, 8, 16, 6),
    (2, 5, 11, 6),
    (1, 67, 8, 2),
    (2, 1, 7, 33),
]


@pytest.mark.parametrize("is_last", [True, False], ids=["last", "planar"])
@pytest.mark.parametrize("dtype", EACH_DTYPE)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_finish_layer(
    emulated: ctypes.CDLL,
    size: tuple[int, int, int, int],
    dtype: torch.dtype,
    is_last: bool,
) -> None:
    per_pack = 16 // dtype.itemsize
    for up, noise, is_packed in itertools.product((False, True), ("none", "shared", "own"), (True, False)):
        given = operands(*size, dtype, is_last=is_last, noise=noise, up=up)
        actual, width = finish_layer(emulated, *given, is_packed=is_packed)
        is_planar = given[0].is_contiguous()
        assert width == (per_pack if is_packed and not is_planar and size[1] % per_pack == 0 else 1)
        expected = finished(*given, slope=0.2, gain=1.5, clamp=-1.0)
        assert_close(actual, expected, dtype)


@pytest.mark.parametrize("is_last", [True, False], ids=["last", "planar"])
@pytest.mark.parametrize("act", SLOPES)
def test_finish_layer_with_all_activations_and_clamps(
    emulated: ctypes.CDLL,
    act: str,
    is_last: bool,
) -> None:
    for up, gain, clamp in itertools.product((False, True), (0.25, 1.5), (0.3, -1.0)):
        given = operands(2, 16, 9, 10, torch.float32, is_last=is_last, noise="own", up=up)
        options = {"slope": SLOPES[act], "gain": gain, "clamp": clamp}
        actual, _ = finish_layer(emulated, *given, **options)
        assert_close(actual, finished(*given, **options), torch.float32)


def test_what_is_not_finite_stays_where_it_is(emulated: ctypes.CDLL) -> None:
    """A pixel beyond the edge weighs nothing, whatever the last one holds; only neighbours see NaN and infinity."""
    x, demodulation, noise, bias, taps = operands(
        1, 8, 12, 12, torch.float32, is_last=True, noise="none", up=True
    )
    x[0, 3, 0, 0], x[0, 4, 12, 12] = torch.nan, torch.inf
    actual, _ = finish_layer(emulated, x, demodulation, noise, bias, taps)
    bad = ~actual.isfinite()
    assert bad[0, 3].nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert bad[0, 4].nonzero().tolist() == [[10, 10], [10, 11], [11, 10], [11, 11]]
    assert not bad[0, [0, 1, 2, 5, 6, 7]].any()


def test_memory_off_the_bounds_of_packs(emulated: ctypes.CDLL) -> None:
    x, demodulation, noise, bias, taps = operands(
        2, 16, 6, 7, torch.float32, is_last=True, noise="own", up=True
    )
    shifted = torch.zeros(x.numel() + 1, dtype=x.dtype)[1:].as_strided(x.shape, x.stride()).copy_(x)
    expected, width = finish_layer(emulated, x, demodulation, noise, bias, taps)
    actual, narrow = finish_layer(emulated, shifted, demodulation, noise, bias, taps)
    assert (width, narrow) == (4, 1)
    torch.testing.assert_close(actual, expected)
    off = torch.zeros(len(bias) + 1)[1:].copy_(bias)
    actual, narrow = finish_layer(emulated, x, demodulation, noise, off, taps)
    assert narrow == 1
    torch.testing.assert_close(actual, expected)


def test_more_threads_than_32_bits_can_number(emulated: ctypes.CDLL) -> None:
    for sizes in ((8, 3, 257, 33, 0), (1, 1, 1024, 128, 0), (64, 1, 5, 1, 0)):
        for number in (0, 1, 12_345_678, 2**31, 2**32 - 1):
            assert emulated.places_agree(numbers(*sizes), ctypes.c_int64(number))


@pytest.mark.parametrize("colours", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("dtype", EACH_DTYPE)
def test_to_rgb(emulated: ctypes.CDLL, dtype: torch.dtype, colours: int) -> None:
    """From few pixels to more than a block's, and from one channel to more than all lanes take at once."""
    torch.manual_seed(0)
    sizes = [
        (2, 16, 4, 4),
        (1, 512, 3, 5),
        (2, 64, 20, 33),
        (1, 40, 1, 130),
        (2, 5, 9, 9),
        (1, 1, 7, 40),
        (1, 1048, 2, 2),
        (1, 8, 264, 1000),
    ]
    for size, is_last, is_packed in itertools.product(sizes, (True, False), (True, False)):
        n, channels = size[:2]
        x = drawn(size, dtype, is_last)
        weights, bias = torch.randn(n, colours, channels) / channels**0.5, torch.randn(colours)
        out, width = to_rgb(emulated, x, weights, bias, 1.5, is_packed=is_packed)
        per_pack = 16 // dtype.itemsize
        side_by_side = channels if is_last or channels == 1 else size[2] * size[3]
        assert width == (per_pack if is_packed and side_by_side % per_pack == 0 else 1)
        expected = torch.einsum("nchw,nkc->nkhw", x.double(), weights.double()) + bias.double()[:, None, None]
        torch.testing.assert_close(out.double(), expected.clamp(-1.5, 1.5), atol=5e-6, rtol=2e-6)
