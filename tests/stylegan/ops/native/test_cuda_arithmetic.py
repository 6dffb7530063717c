"""What CUDA threads compute, emulated on a CPU: the kernels' bodies are headers that both compilers take."""

import ctypes
import itertools

import pytest
import torch
from torch import Tensor

from stylegan.ops.bias_act import ACTIVATIONS, default_gain, plain_bias_act
from stylegan.ops.native_upfirdn2d import output_size, transposed_padding
from stylegan.ops.upfirdn2d import plain_upfirdn2d
from tests.stylegan.ops.native.emulation import DTYPES, EACH_DTYPE, layout, numbers, pointer

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
    (1, 1, 1, 1, 4, 4, True),
    (2, 2, 1, 1, 4, 4, True),
    (1, 1, 2, 2, 4, 4, True),
    (2, 2, 1, 1, 4, 4, False),
]
DEEP = 3  # the first, whose channels are in whole packs
# (number, up, down) of those whose twelve taps are for both axes
BOTH_AXES = [(14, 2, 1), (15, 1, 2)]
# (dtype, padding), one of them quick
PADDED = [
    pytest.param(dtype, padding, id=f"{dtype}-{padding}", marks=[pytest.mark.slow] * (i + j > 0))
    for i, dtype in enumerate(DTYPES)
    for j, padding in enumerate([(2, 1, 2, 1), (6, 5, 6, 5), (-1, 12, 13, -2), (1, 12, 11, 3)])
]


def resample(
    library: ctypes.CDLL,
    number: int | None,
    x: Tensor,
    f: Tensor,
    spec: tuple[int, ...],
    padding: tuple[int, ...],
    flip: bool = True,
) -> Tensor:
    """upfirdn2d with a gain of 1.3, by the general kernel or a fast one."""
    up_y, up_x, down_y, down_x = spec[:4]
    is_last = not x.is_contiguous()
    height = output_size(x.shape[2], f.shape[0], up_y, down_y, padding[2], padding[3])
    width = output_size(x.shape[3], f.shape[-1], up_x, down_x, padding[0], padding[1])
    y = torch.full((*x.shape[:2], height, width), torch.nan, dtype=x.dtype)
    y = y.contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format)
    factors, taps = (up_x, up_y, down_x, down_y), (f.shape[0], f.shape[-1])
    sizes = numbers(*x.shape, height, width, *factors, padding[0], padding[2], *taps, flip, is_last)
    arguments = (pointer(x), pointer(f), pointer(y), sizes, ctypes.c_float(1.3))
    if number is None:
        library.fir_elements(*arguments)
    else:
        library.fir_fast(DTYPES.index(x.dtype), number, *arguments)
    return y


@pytest.mark.parametrize(("dtype", "padding"), PADDED)
@pytest.mark.parametrize("number", range(len(FAST)))
def test_fast_kernels(
    emulated: ctypes.CDLL, number: int, dtype: torch.dtype, padding: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    spec = FAST[number]
    tolerance = 1e-5 if dtype == torch.float32 else 0.51 * torch.finfo(dtype).eps
    product = torch.outer(torch.randn(spec[4]), torch.randn(spec[5]))
    for f, (height, width) in itertools.product(
        (product, torch.randn(spec[4], spec[5])), ((13, 9), (37, 131), (16, 64), (17, 65))
    ):
        x = torch.randn(2, 24 if number < DEEP else 3, height, width, dtype=torch.float64).to(dtype)
        x = x.contiguous(memory_format=layout(spec[6]))
        actual = resample(emulated, number, x, f, spec, padding)
        options = ((spec[1], spec[0]), (spec[3], spec[2]), padding, True, 1.3)
        expected = plain_upfirdn2d(x.double(), f.double(), *options)
        torch.testing.assert_close(actual.double(), expected, atol=1e-5, rtol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES[:2], ids=str)
@pytest.mark.parametrize("number", range(DEEP))
def test_many_channels_and_rows(emulated: ctypes.CDLL, number: int, dtype: torch.dtype) -> None:
    """More of each than a block has, and enough blocks to make them taller."""
    torch.manual_seed(0)
    spec, f = FAST[number], torch.randn(4, 4)
    for shape in ((1, 72, 70, 40), (2, 8, 65, 300), (300, 8, 66, 65), (2100, 8, 64, 3), (1, 8, 70, 17)):
        x = torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last)
        actual = resample(emulated, number, x, f, spec, (2, 1, 2, 1))
        expected = plain_upfirdn2d(x.float(), f, spec[:2], spec[2:4], (2, 1, 2, 1), True, 1.3)
        torch.testing.assert_close(
            actual.float(), expected, atol=1e-5, rtol=max(1e-5, torch.finfo(dtype).eps)
        )


@pytest.mark.parametrize("dtype", EACH_DTYPE)
@pytest.mark.parametrize(("number", "up", "down"), BOTH_AXES)
def test_taps_for_both_axes(
    emulated: ctypes.CDLL, number: int, up: int, down: int, dtype: torch.dtype
) -> None:
    """Widths of whole packs and others, more columns than a warp has, paddings of either parity, crops and flips."""
    torch.manual_seed(0)
    f, tolerance = torch.randn(12), 1e-5 if dtype == torch.float32 else 0.51 * torch.finfo(dtype).eps
    paddings = (
        (6, 5, 6, 5),
        (5, 5, 5, 5),
        (11, 10, 11, 12),
        (-3, 0, 2, -1),
        (-16, 20, 13, -7),
        (1, 40, 0, 0),
    )
    sizes = ((17, 19), (70, 16), (20, 72), (37, 131), (24, 264))
    for number_of_case, (padding, (height, width)) in enumerate(itertools.product(paddings, sizes)):
        x = torch.randn(2, 3, height, width, dtype=torch.float64).to(dtype)
        flip = number_of_case % 2 == 0
        actual = resample(emulated, number, x, f, (up, up, down, down), padding, flip)
        expected = plain_upfirdn2d(x.double(), f.double(), up, down, padding, flip, 1.3)
        torch.testing.assert_close(actual.double(), expected, atol=3e-5, rtol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES[:2], ids=str)
@pytest.mark.parametrize(
    ("number", "up", "down", "count"), [(14, 2, 1, 12), (15, 1, 2, 12), (13, 2, 1, 4), (11, 2, 1, 4)]
)
def test_as_many_planes_as_make_blocks_taller(
    emulated: ctypes.CDLL, number: int, up: int, down: int, count: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    f = torch.randn(12) if count == 12 else torch.randn(4, 4)
    for shape in ((5600, 3, 70, 8), (600, 3, 131, 16)):
        x = torch.randn(shape).to(dtype).contiguous(memory_format=layout(number == 11))
        padding = (count // 2, count // 2 - 1, count // 2 - 1, count // 2)
        actual = resample(emulated, number, x, f, (up, up, down, down), padding)
        expected = plain_upfirdn2d(x.float(), f, up, down, padding, True, 1.3)
        torch.testing.assert_close(
            actual.float(), expected, atol=3e-5, rtol=max(1e-5, torch.finfo(dtype).eps)
        )


def test_each_of_these_carries_gradients_back_through_the_other(emulated: ctypes.CDLL) -> None:
    """With the paddings of augmentation."""
    torch.manual_seed(0)
    f = torch.randn(12)
    for (_, up, down), (other, *_), (before, after) in zip(
        BOTH_AXES, BOTH_AXES[::-1], [(6, 5), (0, 0)], strict=True
    ):
        x = torch.randn(1, 2, 34, 138, dtype=torch.float64, requires_grad=True)
        y = plain_upfirdn2d(x, f.double(), up, down, (before, after, before, after), False, 1.3)
        g = torch.randn(y.shape)
        expected = torch.autograd.grad(y, x, g.double())[0]
        ys, xs = (transposed_padding(size, 12, up, down, before, after) for size in x.shape[2:])
        actual = resample(emulated, other, g, f, (down, down, up, up), (*xs, *ys), True)
        torch.testing.assert_close(actual.double(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", EACH_DTYPE)
def test_planes_off_the_bounds_of_packs(emulated: ctypes.CDLL, dtype: torch.dtype) -> None:
    x = torch.randn(1, 3, 20, 32).to(dtype)
    for number, up, down, is_last in (
        *((*row, False) for row in BOTH_AXES),
        (13, 2, 1, False),
        (11, 2, 1, True),
    ):
        given = x.contiguous(memory_format=layout(is_last))
        shifted = torch.zeros(x.numel() + 1, dtype=dtype)[1:].as_strided(given.shape, given.stride()).copy_(x)
        f = torch.randn(4, 4) if number < 14 else torch.randn(12)
        expected, actual = (
            resample(emulated, number, pictures, f, (up, up, down, down), (6, 5, 6, 5))
            for pictures in (given, shifted)
        )
        torch.testing.assert_close(actual, expected)


def test_blocks_are_about_as_tall_as_one_another(emulated: ctypes.CDLL) -> None:
    for pictures, height, rows in ((248, 64, 33), (248, 65, 33), (4000, 64, 33), (4000, 61, 61), (1, 64, 13)):
        assert emulated.ring_rows(ctypes.c_int64(pictures), 256, height, 65) == rows


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


@pytest.mark.parametrize("dtype", EACH_DTYPE)
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_elementwise_kernel(emulated: ctypes.CDLL, act: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    gain = default_gain(act)
    # (shape, where channels are, elements a thread takes at once): planar, and with channels last, where the bias
    # changes with each element; in whole packs and not
    most, per_pack = 16 // dtype.itemsize, {True: 16 // dtype.itemsize, False: 1}
    for (shape, dim), order, has_bias in itertools.product(
        [
            ((2, 5, 21), 1),
            ((3, 7, 5), 2),
            ((1, 3, 2), 1),
            ((70, 3, 48), 1),
            ((9, 31, 40), 2),
            ((1, 8, 16), 1),
        ],
        (0, 1),
        (True, False),
    ):
        step = 1 if dim == 2 else shape[2]
        x, g = (torch.randn(shape).mul(2).to(dtype) for _ in range(2))
        b = torch.randn(shape[dim]).to(dtype) if has_bias else None
        exact, bias = x.double().requires_grad_(), None if b is None else b.double()
        value = plain_bias_act(exact, bias, dim, act, gain=gain, clamp=1.5)
        is_straight = list(ACTIVATIONS).index(act) < 3
        reference = value.detach().to(dtype) if is_straight else x
        expected = torch.autograd.grad(value, exact, g.double())[0] if order else value.detach()
        out = torch.full(shape, torch.nan, dtype=dtype)
        sizes = numbers(x.numel(), step, shape[dim], list(ACTIVATIONS).index(act), order)
        slope = {"linear": 1.0, "relu": 0.0}.get(act, 0.2)
        settings = (ctypes.c_float * 3)(slope, gain, 1.5)
        tensors = [pointer(t) for t in (g if order else x, reference, b, out)]
        width = emulated.elements(DTYPES.index(dtype), *tensors, sizes, settings)
        fits = not has_bias or (shape[dim] if step == 1 else step) % most == 0
        assert width == per_pack[fits and x.numel() % most == 0]
        rounding = 2e-6 if dtype == torch.float32 else 0.51 * torch.finfo(dtype).eps
        # a result that is rounded to the clamp, or that lies on the kink, has another derivative
        is_clear = (value.detach().abs() - 1.5).abs() > 1e-2
        torch.testing.assert_close(out.double()[is_clear], expected[is_clear], atol=2e-6, rtol=rounding)
        assert not out.isnan().any()


def test_elements_off_the_bounds_of_packs(emulated: ctypes.CDLL) -> None:
    x, b = torch.randn(4, 32), torch.randn(32)
    expected = plain_bias_act(x, b, 1, "relu", gain=1.0)
    for shifted in range(3):
        given = [
            torch.zeros(t.numel() + 1)[int(i == shifted) :][: t.numel()] for i, t in enumerate((x, b, x))
        ]
        given[0].copy_(x.flatten())
        given[1].copy_(b)
        tensors = [pointer(t) for t in (given[0], None, given[1], given[2])]
        settings = (ctypes.c_float * 3)(0.0, 1.0, torch.inf)
        assert emulated.elements(0, *tensors, numbers(128, 1, 32, 1, 0), settings) == 1
        torch.testing.assert_close(given[2].reshape(4, 32), expected)
