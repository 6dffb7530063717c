"""Whole CUDA operators, from the choice of a kernel to the last barrier, run on a CPU: see `fibers.h`."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from stylegan.inference import kernels
from stylegan.ops import native_bias_act, native_upfirdn2d  # noqa: F401 - they declare the operators
from stylegan.ops.bias_act import plain_bias_act
from stylegan.ops.upfirdn2d import plain_upfirdn2d
from tests.stylegan.ops.native.emulation import layout

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("launched")]

TOLERANCES = {torch.float64: 1e-11, torch.float32: 2e-5, torch.float16: 6e-3, torch.bfloat16: 5e-2}
HALVES = [torch.float32, torch.float16, torch.bfloat16]
# (up, down, padding, taps): what has a kernel of its own, and what has none
RESAMPLINGS = [
    (1, 1, [2, 1, 1, 2], (4, 4)),
    (2, 1, [2, 1, 2, 1], (4, 4)),
    (1, 2, [1, 1, 1, 1], (4, 4)),
    (2, 1, [6, 5, 5, 6], (12,)),
    (1, 2, [5, 6, 11, 4], (12,)),
    (3, 2, [2, 3, -1, 4], (3,)),
    (2, 2, [0, 4, 3, 1], (2, 5)),
]
SHAPES = [(2, 40, 9, 34), (1, 3, 37, 40), (2, 3, 21, 131), (1, 8, 140, 16), (3, 1, 6, 7)]


def call(name: str, *arguments: Any) -> Tensor:
    keys = torch._C.DispatchKeySet(torch._C.DispatchKey.PrivateUse1)
    result: Tensor = getattr(torch.ops.bend, name).default.redispatch(keys, *arguments)
    return result


def draw(shape: tuple[int, ...], dtype: torch.dtype, is_last: bool, shift: int = 0) -> Tensor:
    """Numbers in memory that begins `shift` elements after a pack boundary."""
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64).to(dtype).contiguous(memory_format=layout(is_last))
    return torch.empty(x.numel() + shift, dtype=dtype)[shift:].as_strided(x.shape, x.stride()).copy_(x)


def assert_close(actual: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    scale = expected.abs().max().clamp(min=1)
    tolerance = TOLERANCES[dtype]
    torch.testing.assert_close(actual.double() / scale, expected / scale, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize(("up", "down", "padding", "taps"), RESAMPLINGS)
def test_upfirdn2d(up: int, down: int, padding: list[int], taps: tuple[int, ...], dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    f = torch.randn(taps, dtype=torch.float64 if dtype == torch.float64 else torch.float32)
    for shape, is_last, shift in itertools.product(SHAPES, (False, True), (0, 1)):
        x = draw(shape, dtype, is_last, shift)
        flips = shift == 0
        actual = call("upfirdn2d", x, f, up, up, down, down, *padding, flips, 1.3)
        assert_close(actual, plain_upfirdn2d(x.double(), f.double(), up, down, padding, flips, 1.3), dtype)
        assert actual.is_contiguous(memory_format=layout(is_last and shape[1] > 1))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("is_up", [False, True])
def test_finish_layer(is_up: bool, dtype: torch.dtype) -> None:
    crop = int(is_up)
    for (n, channels, height, width), is_last, shift in itertools.product(SHAPES, (False, True), (0, 1)):
        x = draw((n, channels, height + crop, width + crop), dtype, is_last, shift)
        demodulation, bias = torch.rand(n, channels) + 0.5, torch.randn(channels)
        noise = torch.randn(1 if shift else n, 1, height, width)
        taps = torch.randn(2, 4) if is_up else None
        actual = call("finish_layer", x, demodulation, noise, bias, taps, 0.2, 1.5, 2.0)
        actual = actual.permute(0, 3, 1, 2) if kernels._is_last(x) else actual
        y = x.double()
        if taps is not None:
            kernel = torch.outer(taps[0], taps[1]).double().expand(channels, 1, 4, 4)
            y = torch.nn.functional.conv2d(y, kernel, padding=1, groups=channels)
        y = y * demodulation.double()[:, :, None, None] + noise
        assert_close(actual, plain_bias_act(y, bias.double(), act="lrelu", gain=1.5, clamp=2.0), dtype)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_to_rgb(dtype: torch.dtype) -> None:
    for shape, is_last, colours in itertools.product((*SHAPES, (1, 512, 4, 4)), (False, True), (1, 3, 4)):
        x = draw(shape, dtype, is_last)
        weights, bias = torch.randn(shape[0], colours, shape[1]) / shape[1] ** 0.5, torch.randn(colours)
        expected = torch.einsum("nchw,nkc->nkhw", x.double(), weights.double())
        expected = (expected + bias.double()[:, None, None]).clamp(-1.5, 1.5)
        assert_close(call("to_rgb", x, weights, bias, 1.5), expected, torch.float32)


@pytest.mark.parametrize("size", [(1, 5, 3), (9, 33, 130), (20, 70, 48)], ids=str)
def test_what_precedes_a_convolution(size: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    n, outputs, inputs = size
    weight, styles = torch.randn(outputs, inputs, 3, 3), torch.randn(n, inputs)
    found = call("demodulate", weight, styles, True)
    demodulation, scales, gains = found.split([n * outputs, n * inputs, outputs])
    scaled = weight.double() * gains.double()[:, None, None, None]
    sums = torch.einsum("oikl,ni->no", scaled.square(), scales.view(n, inputs).double().square())
    assert_close(demodulation.view(n, outputs), (sums + 1e-8).rsqrt(), torch.float32)
    for dtype, is_transposed in itertools.product(HALVES, (False, True)):
        laid = call("lay_out", torch.empty(0, dtype=dtype), weight, gains.clone(), None, is_transposed)
        expected = weight * gains[:, None, None, None]
        expected = expected.transpose(0, 1) if is_transposed else expected
        assert torch.equal(laid.permute(0, 3, 1, 2), expected.to(dtype))


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_elementwise(dtype: torch.dtype) -> None:
    for shape, is_last, shift in itertools.product(SHAPES, (False, True), (0, 1)):
        x, b = draw(shape, dtype, is_last, shift), torch.linspace(-1, 1, shape[1]).to(dtype)
        expected = plain_bias_act(x.double(), b.double(), act="lrelu", alpha=0.2, gain=1.4, clamp=0.8)
        assert_close(call("bias_act", x, b, 1, 2, 0.2, 1.4, 0.8), expected, dtype)
        if dtype != torch.float64:
            scales = torch.randn(shape[:2])
            scaled = call("scale_channels", x, scales)
            scaled = scaled.permute(0, 3, 1, 2) if kernels._is_last(x) else scaled
            assert torch.equal(scaled, (x.float() * scales[:, :, None, None]).to(dtype))


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_a_gradient_goes_through_what_overflowed(dtype: torch.dtype) -> None:
    for count, act in itertools.product((64, 5), (2, 7)):  # packs or single elements, straight or smooth
        reference = torch.full((count,), math.inf, dtype=dtype)
        g = torch.full((count,), 3.0, dtype=dtype)
        assert torch.equal(call("bias_act_grad", g, reference, None, 0, act, 1, 0.2, 1.0, -1.0), g)
        assert not call("bias_act_grad", g, reference, None, 0, act, 1, 0.2, 1.0, 2.0).any()
