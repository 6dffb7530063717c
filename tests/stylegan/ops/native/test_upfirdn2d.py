"""The native upfirdn2d against the plain one: factors, paddings, filters, layouts, dtypes, gradients, rules."""

import importlib
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan.errors import is_out_of_memory
from stylegan.ops import native
from stylegan.ops.native_upfirdn2d import native_upfirdn2d, output_size, transposed_padding
from stylegan.ops.upfirdn2d import plain_upfirdn2d, setup_filter, upfirdn2d
from tests.stylegan.ops.golden import arrays, cases

MODULE = importlib.import_module("stylegan.ops.upfirdn2d")  # the package's attribute is the function
TOLERANCES = {torch.float64: 1e-12, torch.float32: 3e-6, torch.float16: 4e-3, torch.bfloat16: 3e-2}
PADDINGS = [(2, 1, 2, 1), (-1, 3, 0, -2), (5, 0, 6, 9), (1, 1, 1, 1)]
# One channel and few channels (rows), many (pixels), and many that are no multiple of a vector.
SHAPES = [(2, 1, 9, 70), (1, 3, 12, 11), (2, 32, 6, 7), (1, 37, 9, 5)]
# (the filter's size, dtype); half precision is summed in float32, so quick tests take only one size of it
FILTERED = [
    pytest.param(size, dtype, id=f"{size}-{dtype}", marks=[pytest.mark.slow] * (i > 0 and dtype.itemsize < 4))
    for i, size in enumerate([(4, 4), (1, 12), (12, 1), (3, 2), (1, 1)])
    for dtype in TOLERANCES
]
QUICK_CHECKS = ("test_schema", "test_autograd_registration", "test_faketensor")

pytestmark = pytest.mark.usefixtures("native_ops")


def taps(height: int, width: int, is_product: bool = True) -> Tensor:
    """A filter without symmetry, so that a forgotten flip shows; a column times a row unless told otherwise."""
    torch.manual_seed(1)
    if not is_product:
        return torch.randn(height, width, dtype=torch.float64) / height
    return torch.outer(torch.rand(height, dtype=torch.float64), torch.rand(width, dtype=torch.float64)) / 4


def draw(shape: tuple[int, ...], dtype: torch.dtype, is_last: bool) -> Tensor:
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64).to(dtype)
    return x.contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format)


@pytest.mark.parametrize(("size", "dtype"), FILTERED)
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (2, 2), (3, 2), (1, 3)])
def test_gives_what_the_plain_one_does(up: int, down: int, size: tuple[int, int], dtype: torch.dtype) -> None:
    f = taps(*size).to(torch.float64 if dtype == torch.float64 else torch.float32)
    for shape, padding, is_last in itertools.product(SHAPES, PADDINGS, (False, True)):
        x = draw(shape, dtype, is_last)
        wide = [shape[3] * up + padding[0] + padding[1], shape[2] * up + padding[2] + padding[3]]
        if wide[0] < size[1] or wide[1] < size[0]:
            continue
        for flip in (False, True):
            actual = native_upfirdn2d(x, f, (up, up), (down, down), padding, flip, 1.3)
            expected = plain_upfirdn2d(x.double(), f.double(), up, down, padding, flip, 1.3)
            assert actual.dtype == dtype
            assert actual.is_contiguous(
                memory_format=torch.contiguous_format if x.is_contiguous() else torch.channels_last
            )
            tolerance = TOLERANCES[dtype]
            torch.testing.assert_close(actual.double(), expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("is_last", [False, True])
def test_a_filter_that_is_no_product_is_summed_tap_by_tap(is_last: bool) -> None:
    f = taps(3, 4, is_product=False)
    for up, down in ((1, 1), (2, 1), (1, 2), (3, 2)):
        x = draw((2, 20, 9, 8), torch.float64, is_last)
        actual = native_upfirdn2d(x, f, (up, up), (down, down), (2, 1, 0, 3), False, 1.0)
        torch.testing.assert_close(actual, plain_upfirdn2d(x, f, up, down, [2, 1, 0, 3]))


@pytest.mark.parametrize("f", [torch.zeros(4, 4), torch.full((2, 2), float("nan"))], ids=["zeros", "nan"])
def test_filters_that_cannot_be_split(f: Tensor) -> None:
    x = draw((1, 18, 6, 6), torch.float32, True)
    actual = native_upfirdn2d(x, f, (1, 1), (1, 1), (0, 0, 0, 0), False, 1.0)
    torch.testing.assert_close(actual, plain_upfirdn2d(x, f), equal_nan=True)


def test_factors_differ_between_axes() -> None:
    f = taps(4, 4).float()
    for up, down in itertools.product([(2, 1), (1, 2)], [(1, 2), (2, 1), (3, 1)]):
        for shape, is_last in itertools.product(SHAPES, (False, True)):
            x = draw(shape, torch.float32, is_last)
            actual = native_upfirdn2d(x, f, up, down, (2, 2, 3, 1), False, 1.0)
            expected = plain_upfirdn2d(x, f, up, down, (2, 2, 3, 1))
            torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("depth", [2, 32])
@pytest.mark.parametrize("is_product", [True, False])
@pytest.mark.parametrize("padding", [(2, 1, 2, 1), (-1, 0, 3, -2)], ids=str)
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (3, 2)])
def test_derivatives_of_two_orders_by_finite_differences(
    up: int, down: int, padding: tuple[int, int, int, int], is_product: bool, depth: int
) -> None:
    f = taps(4, 3, is_product)
    x = draw((1, depth, 5, 4), torch.float64, depth > 16).requires_grad_()

    def resample(x: Tensor) -> Tensor:
        return native_upfirdn2d(x, f, (up, up), (down, down), padding, False, 1.3)

    assert gradcheck(resample, [x], fast_mode=True)
    assert gradgradcheck(resample, [x], fast_mode=True)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("is_last", [False, True])
def test_a_vector_is_a_filter_for_both_axes(is_last: bool, dtype: torch.dtype) -> None:
    f = taps(1, 12)[0].to(torch.float64 if dtype == torch.float64 else torch.float32)
    for (up, down), flip in itertools.product(
        [((2, 2), (1, 1)), ((1, 1), (2, 2)), ((2, 1), (3, 1))], (False, True)
    ):
        x = draw((2, 3, 14, 19), dtype, is_last)
        actual = native_upfirdn2d(x, f, up, down, (6, 5, -1, 3), flip, 1.3)
        expected = plain_upfirdn2d(x.double(), f.double(), up, down, (6, 5, -1, 3), flip, 1.3)
        torch.testing.assert_close(actual.double(), expected, atol=TOLERANCES[dtype], rtol=TOLERANCES[dtype])


@pytest.mark.parametrize(("up", "down"), [((2, 2), (1, 1)), ((1, 1), (2, 2)), ((3, 1), (1, 2))])
def test_derivatives_with_a_filter_for_both_axes(up: tuple[int, int], down: tuple[int, int]) -> None:
    f, x = taps(1, 5)[0], draw((1, 2, 6, 5), torch.float64, False).requires_grad_()

    def resample(x: Tensor) -> Tensor:
        return native_upfirdn2d(x, f, up, down, (3, 2, 2, -1), False, 1.3)

    assert gradcheck(resample, [x], fast_mode=True)
    assert gradgradcheck(resample, [x], fast_mode=True)
    arguments = (x.float().detach().requires_grad_(), f.float(), *up, *down, 3, 2, 2, -1, False, 1.3)
    torch.library.opcheck(torch.ops.bend.upfirdn2d.default, arguments, test_utils=QUICK_CHECKS)


def test_transposed_padding_restores_the_size() -> None:
    for size, count, up, down, before, after in itertools.product(
        (5, 8), (1, 4, 12), (1, 2, 3), (1, 2, 3), (-1, 0, 6), (6, 11)
    ):
        out = output_size(size, count, up, down, before, after)
        assert (
            output_size(out, count, down, up, *transposed_padding(size, count, up, down, before, after))
            == size
        )


@pytest.mark.parametrize("case", cases("upfirdn2d"), ids=lambda case: case["key"])
def test_gives_the_official_output(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "plain_upfirdn2d", None)  # whatever goes there fails
    golden = arrays(case["key"])
    options = {k: v for k, v in case.items() if k in ("up", "down", "padding", "flip_filter", "gain")}
    f = golden["f"] if "f" in golden else setup_filter(case["filter"])
    torch.testing.assert_close(upfirdn2d(golden["x"], f, **options), golden["y"], atol=1e-4, rtol=0)


@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2)])
def test_keeps_the_rules_of_operators(up: int, down: int) -> None:
    operator = torch.ops.bend.upfirdn2d.default
    for is_last, dtype in itertools.product((False, True), (torch.float32, torch.float16)):
        x = draw((2, 18, 6, 5), dtype, is_last).requires_grad_()
        arguments = (x, taps(4, 4).float(), up, up, down, down, 2, 1, 2, 1, False, 1.0)
        torch.library.opcheck(operator, arguments, test_utils=QUICK_CHECKS)


@pytest.mark.slow
def test_compiles_with_its_derivative() -> None:
    x = draw((2, 18, 6, 5), torch.float32, True).requires_grad_()
    torch.library.opcheck(
        torch.ops.bend.upfirdn2d.default, (x, taps(4, 4).float(), 2, 2, 1, 1, 2, 1, 2, 1, False, 1.0)
    )


@pytest.mark.parametrize(
    ("x", "f", "message"),
    [
        (torch.zeros(1, 1, 2, 2), torch.ones(4, 4), "larger than the padded image"),
        (torch.zeros(1, 1, 8, 8), torch.ones(4, 4).double(), "float32, or float64"),
        (torch.zeros(1, 8, 8), torch.ones(4, 4), "takes pictures"),
        (torch.zeros(1, 1, 8, 8), torch.ones(1, 4, 4), "for both axes"),
        (torch.zeros(1, 1, 8, 8)[:, :, ::2], torch.ones(2, 2), "contiguous"),
    ],
)
def test_operator_refuses_what_it_cannot_do(x: Tensor, f: Tensor, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        native_upfirdn2d(x, f, (1, 1), (1, 1), (0, 0, 0, 0), False, 1.0)


def test_too_little_memory_for_the_result_is_told_as_that() -> None:
    side = 2**24  # a petabyte in all, more than addresses reach
    with pytest.raises(RuntimeError) as refusal:
        native_upfirdn2d(
            torch.zeros(1, 1, 1, 1), torch.ones(1, 1), (1, 1), (1, 1), (side, 0, side, 0), False, 1.0
        )
    assert is_out_of_memory(refusal.value)


def test_public_function_takes_the_native_path_but_for_gradients_of_the_filter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, f = torch.randn(1, 3, 16, 16), setup_filter([1, 3, 3, 1])
    wavelet = setup_filter([1.0, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1])
    expected = [
        plain_upfirdn2d(*arguments)
        for arguments in ((x, f, 2), (x[:, :, ::2], f), (x, wavelet, 2, 1, 6), (x, None, 2), (x.half(), f))
    ]
    with monkeypatch.context() as patch:
        patch.setattr(MODULE, "plain_upfirdn2d", None)
        actual = [
            upfirdn2d(*arguments)
            for arguments in (
                (x, f, 2),
                (x[:, :, ::2], f),
                (x, wavelet, 2, 1, 6),
                (x, None, 2),
                (x.half(), f),
            )
        ]
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, atol=5e-3 if one.dtype == torch.half else 1e-5, rtol=1e-3)
    with native.paused():
        torch.testing.assert_close(upfirdn2d(x, f, 2), expected[0])
    learnt = f.clone().requires_grad_()
    upfirdn2d(x, learnt, 2).sum().backward()
    assert learnt.grad is not None
    with pytest.raises(ValueError, match="larger than the padded image"):
        upfirdn2d(x[:, :, :2], f)
