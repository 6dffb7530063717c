"""What CUDA's threads compute, emulated by a CPU: the kernels' bodies are headers that both compilers take."""

import ctypes
import itertools

import pytest
import torch
from torch import Tensor

from stylegan.ops.bias_act import ACTIVATIONS, default_gain, plain_bias_act
from stylegan.ops.native_upfirdn2d import output_size
from stylegan.ops.upfirdn2d import plain_upfirdn2d
from tests.stylegan.ops.native.emulation import numbers, pointer

# (up y, up x, down y, down x, taps' height and width, channels last), as emulated.cpp numbers them
FAST = [
    (1, 1, 1, 1, 4, 4, True),
    (2, 2, 1, 1, 4, 4, True),
    (1, 1, 2, 2, 4, 4, True),
    (1, 1, 1, 1, 4, 4, False),
    (2, 2, 1, 1, 4, 4, False),
    (1, 1, 2, 2, 4, 4, False),
    (1, 2, 1, 1, 1, 12, False),
    (2, 1, 1, 1, 12, 1, False),
    (1, 1, 1, 2, 1, 12, False),
    (1, 1, 2, 1, 12, 1, False),
]


def resample(
    library: ctypes.CDLL,
    number: int | None,
    x: Tensor,
    f: Tensor,
    spec: tuple[int, ...],
    padding: tuple[int, ...],
) -> Tensor:
    """upfirdn2d with flip_filter and a gain of 1.3, by the general kernel or a fast one."""
    up_y, up_x, down_y, down_x = spec[:4]
    is_last = not x.is_contiguous()
    height = output_size(x.shape[2], f.shape[0], up_y, down_y, padding[2], padding[3])
    width = output_size(x.shape[3], f.shape[1], up_x, down_x, padding[0], padding[1])
    y = torch.full((*x.shape[:2], height, width), torch.nan)
    y = y.contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format)
    sizes = numbers(
        *x.shape, height, width, up_x, up_y, down_x, down_y, padding[0], padding[2], *f.shape, 1, is_last
    )
    arguments = (pointer(x), pointer(f), pointer(y), sizes, ctypes.c_float(1.3))
    if number is None:
        library.fir_elements(*arguments)
    else:
        library.fir_fast(number, *arguments)
    return y


@pytest.mark.parametrize("padding", [(2, 1, 2, 1), (6, 5, 6, 5), (-1, 12, 13, -2), (1, 12, 11, 3)], ids=str)
@pytest.mark.parametrize("number", range(len(FAST)))
def test_fast_kernels(emulated: ctypes.CDLL, number: int, padding: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    spec = FAST[number]
    f = torch.randn(spec[4], spec[5])
    for height, width in ((13, 9), (37, 131), (16, 64)):
        x = torch.randn(2, 12, height, width)
        x = x.contiguous(memory_format=torch.channels_last) if spec[6] else x[:, :3].contiguous()
        actual = resample(emulated, number, x, f, spec, padding)
        expected = plain_upfirdn2d(x, f, (spec[1], spec[0]), (spec[3], spec[2]), padding, True, 1.3)
        torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("is_last", [False, True])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (3, 2)])
def test_general_kernel(emulated: ctypes.CDLL, up: int, down: int, is_last: bool) -> None:
    torch.manual_seed(0)
    f = torch.randn(3, 5)
    x = torch.randn(2, 3, 9, 11)
    x = x.contiguous(memory_format=torch.channels_last) if is_last else x
    actual = resample(emulated, None, x, f, (up, up, down, down), (2, -1, 0, 7))
    expected = plain_upfirdn2d(x, f, up, down, (2, -1, 0, 7), True, 1.3)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_elementwise_kernel(emulated: ctypes.CDLL, act: str) -> None:
    torch.manual_seed(0)
    gain = default_gain(act)
    # (shape, elements between neighbouring biases): planar, and with channels last, where the bias changes each element
    for (shape, step), order, is_aligned in itertools.product(
        [((2, 5, 21), 21), ((3, 7, 5), 1), ((1, 3, 2), 2)], (0, 1), (True, False)
    ):
        x, g = torch.randn(shape).mul(2).requires_grad_(), torch.randn(shape)
        b = torch.randn(shape[1] if step > 1 else shape[2])
        expected = plain_bias_act(x, b, 1 if step > 1 else 2, act, gain=gain, clamp=1.5)
        reference = expected.detach() if list(ACTIVATIONS).index(act) < 3 else x.detach()
        if order:
            (expected,) = torch.autograd.grad(expected, x, g)
        out = torch.full(shape, torch.nan)
        sizes = numbers(x.numel(), step, len(b), is_aligned, list(ACTIVATIONS).index(act), order)
        slope = {"linear": 1.0, "relu": 0.0}.get(act, 0.2)
        emulated.elements(
            pointer(g if order else x.detach()),
            pointer(reference),
            pointer(b),
            pointer(out),
            sizes,
            (ctypes.c_float * 3)(slope, gain, 1.5),
        )
        torch.testing.assert_close(out, expected.detach(), atol=2e-6, rtol=2e-6)
