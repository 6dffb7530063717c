"""The CUDA kernels on a GPU, against the plain operations in float64 on a CPU."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan.ops import native
from stylegan.ops.bias_act import ACTIVATIONS, bias_act, plain_bias_act
from stylegan.ops.build import build
from stylegan.ops.upfirdn2d import plain_upfirdn2d, setup_filter, upfirdn2d

pytestmark = pytest.mark.gpu

TOLERANCES = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 5e-3, torch.bfloat16: 4e-2}
# (factors and padding, taps): what the kernels for four and for twelve taps take, and what is left to the general one
RESAMPLINGS: list[tuple[dict[str, Any], list[Any]]] = [
    ({"padding": 1}, [1, 3, 3, 1]),
    ({"padding": [2, 1, 1, 2]}, [[1, 3, 2, 1], [2, 1, 0, 4], [5, 1, 1, 2], [0, 2, 1, 3]]),
    ({"up": 2, "padding": [2, 1, 2, 1]}, [1, 3, 3, 1]),
    ({"down": 2, "padding": 1}, [1, 3, 3, 1]),
    ({"up": 2, "padding": [6, 5, 6, 5]}, list(range(1, 13))),
    ({"down": 2, "padding": [5, -3, 6, 4]}, list(range(1, 13))),
    ({"up": 3, "down": 2, "padding": [2, 3, -1, 4]}, [1, 2, 5]),
]


@pytest.fixture(autouse=True)
def cuda_ops() -> Iterator[None]:
    """Use the native operations for CUDA."""
    native.use("cuda", build("cuda"))
    yield
    native.forget()


def draw(shape: tuple[int, ...], dtype: torch.dtype, is_last: bool) -> Tensor:
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64).to(dtype)
    return x.contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_bias_act(act: str, dtype: torch.dtype) -> None:
    for shape, is_last, clamp in itertools.product(
        [(4, 40, 33, 35), (2, 3, 65, 67)], (False, True), (None, 0.8)
    ):
        x, b = draw(shape, dtype, is_last), torch.linspace(-1, 1, shape[1], dtype=torch.float64).to(dtype)
        actual_x, expected_x = x.cuda().requires_grad_(), x.double().requires_grad_()
        actual = bias_act(actual_x, b.cuda(), act=act, clamp=clamp)
        expected = plain_bias_act(expected_x, b.double(), act=act, clamp=clamp)
        tolerance = TOLERANCES[dtype]
        assert actual.stride() == x.stride()
        torch.testing.assert_close(actual.cpu().double(), expected, atol=tolerance, rtol=tolerance)
        if dtype in (torch.float32, torch.float64):  # halves fall on the other side of a kink now and then
            g = draw(shape, dtype, is_last).flip(0)
            (dx,) = torch.autograd.grad(actual, actual_x, g.cuda())
            (expected_dx,) = torch.autograd.grad(expected, expected_x, g.double())
            torch.testing.assert_close(dx.cpu().double(), expected_dx, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(("options", "taps"), RESAMPLINGS)
def test_upfirdn2d(options: dict[str, Any], taps: list[Any], dtype: torch.dtype) -> None:
    f, tolerance = setup_filter(taps), TOLERANCES[dtype]
    for shape, is_last, flip in itertools.product(
        [(2, 48, 37, 70), (2, 3, 66, 131), (1, 3, 40, 264)], (False, True), (False, True)
    ):
        x = draw(shape, dtype, is_last)
        actual_x, expected_x = x.cuda().requires_grad_(), x.double().requires_grad_()
        actual = upfirdn2d(actual_x, f.cuda(), flip_filter=flip, gain=1.3, **options)
        expected = plain_upfirdn2d(expected_x, f.double(), flip_filter=flip, gain=1.3, **options)
        assert actual.is_contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format)
        torch.testing.assert_close(actual.cpu().double(), expected, atol=tolerance, rtol=tolerance)
        g = draw(tuple(actual.shape), dtype, is_last).flip(0)
        (dx,) = torch.autograd.grad(actual, actual_x, g.cuda())
        (expected_dx,) = torch.autograd.grad(expected, expected_x, g.double())
        torch.testing.assert_close(dx.cpu().double(), expected_dx, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize(("options", "taps"), RESAMPLINGS[:-1])
def test_upfirdn2d_of_many_pictures(options: dict[str, Any], taps: list[Any], dtype: torch.dtype) -> None:
    """Enough that blocks walk down far and fill their shared memory many times over; all computed on the GPU."""
    f, tolerance = setup_filter(taps).cuda(), TOLERANCES[dtype]
    for shape, is_last in (
        ((700, 8, 140, 12), True),
        ((2100, 8, 64, 10), True),
        ((5000, 3, 66, 12), True),
        ((1500, 3, 70, 16), False),
        ((1500, 3, 66, 17), False),
    ):
        x = draw(shape, dtype, is_last).cuda()
        actual = upfirdn2d(x, f, **options)
        expected = plain_upfirdn2d(x.double(), f.double(), **options)
        torch.testing.assert_close(actual.double(), expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize(("options", "taps"), RESAMPLINGS)
def test_upfirdn2d_twice_differentiated(options: dict[str, Any], taps: list[Any]) -> None:
    f = setup_filter(taps).double().cuda()
    for is_last in (False, True):
        x = draw((1, 4, 9, 10), torch.float64, is_last).cuda().requires_grad_()
        assert gradcheck(lambda x: upfirdn2d(x, f, **options), [x], fast_mode=True)
        assert gradgradcheck(lambda x: upfirdn2d(x, f, **options), [x], fast_mode=True)


def test_memory_off_its_bounds_and_other_streams() -> None:
    x = torch.randn(100_003, device="cuda")[3:].reshape(1, 100, 10, 100)
    b = torch.randn(100, device="cuda")
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda.current_stream().wait_stream(torch.cuda.default_stream())
        actual = bias_act(x, b, act="lrelu")
    torch.cuda.synchronize()
    torch.testing.assert_close(actual, plain_bias_act(x, b, act="lrelu"))


def test_keeps_the_rules_of_operators() -> None:
    x = draw((2, 16, 6, 5), torch.float32, True).cuda().requires_grad_()
    torch.library.opcheck(torch.ops.bend.bias_act.default, (x, None, 1, 2, 0.2, 1.4, 3.0))
    f = setup_filter([1, 3, 3, 1]).cuda()
    torch.library.opcheck(torch.ops.bend.upfirdn2d.default, (x, f, 2, 2, 1, 1, 2, 1, 2, 1, False, 1.0))
    x = draw((1, 3, 12, 16), torch.float32, False).cuda().requires_grad_()
    f = setup_filter(list(range(1, 13))).cuda()
    torch.library.opcheck(torch.ops.bend.upfirdn2d.default, (x, f, 2, 2, 1, 1, 6, 5, 6, 5, False, 1.0))
