"""The native bias_act against the plain one: values, gradients of every order, layouts, dtypes, operator rules."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan.ops import native
from stylegan.ops.bias_act import ACTIVATIONS, bias_act, default_gain, plain_bias_act
from stylegan.ops.native_bias_act import MAX_ORDER, NUM_STRAIGHT, native_bias_act
from tests.stylegan.ops.golden import arrays, cases

NUMBERS = {name: number for number, name in enumerate(ACTIVATIONS)}
STRAIGHT = list(ACTIVATIONS)[:NUM_STRAIGHT]
TOLERANCES = {torch.float64: 1e-13, torch.float32: 2e-6, torch.float16: 4e-3, torch.bfloat16: 3e-2}
# Planar and channels last, with many and few channels, pictures of one pixel, vectors; none a multiple of the vectors.
SHAPES = [(2, 3, 9, 7), (2, 40, 5, 3), (3, 70, 1, 1), (1, 1, 17, 33), (5, 67), (2, 19, 23), (0, 4, 3, 3)]
QUICK_CHECKS = ("test_schema", "test_autograd_registration", "test_faketensor")
ALL_CHECKS = (*QUICK_CHECKS, "test_aot_dispatch_dynamic")

pytestmark = pytest.mark.usefixtures("native_ops")


def call(x: Tensor, b: Tensor | None, act: str, dim: int = 1, **options: Any) -> Tensor:
    """`native_bias_act` with the arguments of `bias_act`."""
    alpha, gain, clamp = (options.get(key) for key in ("alpha", "gain", "clamp"))
    return native_bias_act(
        x,
        b,
        dim,
        NUMBERS[act],
        0.2 if alpha is None else alpha,
        default_gain(act) if gain is None else gain,
        -1.0 if clamp is None else clamp,
    )


def draw(shape: tuple[int, ...], dtype: torch.dtype, is_last: bool = False) -> Tensor:
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64).mul(2).to(dtype)
    return x.contiguous(memory_format=torch.channels_last) if is_last else x


@pytest.mark.parametrize("options", [{}, {"gain": 0.7, "alpha": 0.4, "clamp": 0.8}], ids=["plain", "clamped"])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_gives_what_the_plain_one_does(act: str, dtype: torch.dtype, options: dict[str, Any]) -> None:
    for shape, has_bias in itertools.product(SHAPES, (True, False)):
        for is_last in (True, False) if len(shape) == 4 else (False,):
            x = draw(shape, dtype, is_last)
            b = torch.linspace(-1, 1, shape[1], dtype=torch.float64).to(dtype) if has_bias else None
            actual, expected = call(x, b, act, **options), plain_bias_act(x, b, act=act, **options)
            assert actual.dtype == dtype
            assert actual.stride() == x.stride()
            torch.testing.assert_close(actual, expected, atol=TOLERANCES[dtype], rtol=TOLERANCES[dtype])


@pytest.mark.parametrize("is_last", [False, True])
@pytest.mark.parametrize("dim", [0, 1, 2, 3])
def test_bias_runs_along_any_dimension_of_either_layout(dim: int, is_last: bool) -> None:
    x = draw((3, 37, 4, 5), torch.float32, is_last)
    b = torch.randn(x.shape[dim])
    torch.testing.assert_close(call(x, b, "lrelu", dim), plain_bias_act(x, b, dim, "lrelu"))


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_first_derivatives_are_the_plain_ones(act: str) -> None:
    for is_last in (False, True):
        x = draw((2, 21, 5, 7), torch.float64, is_last)
        b = torch.randn(21, dtype=torch.float64)
        g = draw((2, 21, 5, 7), torch.float64).flip(0)
        found = []
        for function in (call, plain_bias_act):
            leaves = [x.clone().requires_grad_(), b.clone().requires_grad_()]
            y = function(*leaves, act=act, clamp=1.5)
            found.append(torch.autograd.grad(y, leaves, g))
        for actual, expected in zip(*found, strict=True):
            torch.testing.assert_close(actual, expected, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("clamp", [None, math.nan, 2.0])
@pytest.mark.parametrize("act", STRAIGHT)
def test_a_gradient_goes_through_what_overflowed(act: str, clamp: float | None, dtype: torch.dtype) -> None:
    """A zero there would hide from those who watch gradients that something is wrong."""
    x = torch.tensor([1.0, math.inf, -math.inf, -1.0, math.nan]).repeat(2000).to(dtype)
    g = torch.tensor([1.0, 2.0, 3.0, 4.0, math.nan]).repeat(2000).to(dtype)
    found = []
    for function in (bias_act, plain_bias_act):
        leaf = x.clone().requires_grad_()
        found += torch.autograd.grad(function(leaf, act=act, clamp=clamp), leaf, g)
    expected = (
        found[1].nan_to_num(0.0) if clamp == 2 else found[1]
    )  # a clamp's own derivative hides NaN in torch, too
    torch.testing.assert_close(found[0], expected, equal_nan=True)


@pytest.mark.parametrize("options", [{}, {"gain": 0.7, "alpha": 0.3}, {"clamp": 0.9}], ids=str)
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_derivatives_of_two_orders_by_finite_differences(act: str, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 4, 2, dtype=torch.float64)
    x = (x + 0.05 * x.sign()).requires_grad_()  # away from the kinks
    b = (0.01 * torch.randn(4, dtype=torch.float64)).requires_grad_()
    assert gradcheck(lambda x, b: call(x, b, act, **options), [x, b])
    assert gradgradcheck(lambda x, b: call(x, b, act, **options), [x, b])


@pytest.mark.parametrize("order", range(1, MAX_ORDER + 1))
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_derivatives_of_the_gradient_operator(act: str, order: int) -> None:
    if act in STRAIGHT and order > 1:
        pytest.skip("a straight line has no second derivative")
    torch.manual_seed(0)
    x, g = torch.randn(2, 3, 4, dtype=torch.float64), torch.randn(2, 3, 4, dtype=torch.float64)
    reference = (x + 0.1 * x.sign()).requires_grad_(act not in STRAIGHT and order < MAX_ORDER)

    def gradient(g: Tensor, reference: Tensor) -> Tensor:
        result: Tensor = torch.ops.bend.bias_act_grad(
            g, reference, None, 1, NUMBERS[act], order, 0.2, 1.1, -1.0
        )
        return result

    assert gradcheck(gradient, [g.requires_grad_(), reference])
    if order < MAX_ORDER - 1:
        assert gradgradcheck(gradient, [g, reference])


def test_a_fourth_derivative_is_refused() -> None:
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    y = call(x, None, "tanh")
    for _ in range(3):
        (y,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="up to order 3"):
        torch.autograd.grad(y.sum(), x, create_graph=True)


@pytest.mark.parametrize("case", cases("bias_act"), ids=lambda case: case["key"])
def test_gives_the_official_output_and_gradients(case: dict[str, Any]) -> None:
    golden = arrays(case["key"])
    leaves = [golden["x"].requires_grad_(), golden["b"].requires_grad_()]
    y = call(*leaves, **{key: case[key] for key in ("act", "alpha", "gain", "clamp")})
    dx, db = torch.autograd.grad(y, leaves, golden["dy"])
    for actual, name in ((y, "y"), (dx, "dx"), (db, "db")):
        torch.testing.assert_close(actual.detach(), golden[name], atol=1e-4, rtol=0)


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_keeps_the_rules_of_operators(act: str) -> None:
    for is_last, dtype in itertools.product((False, True), (torch.float32, torch.bfloat16)):
        check_rules(act, draw((2, 6, 4, 3), dtype, is_last), QUICK_CHECKS)


@pytest.mark.slow
def test_compiles_with_its_derivatives() -> None:
    check_rules("swish", draw((2, 6, 4, 3), torch.float32), ALL_CHECKS)


def check_rules(act: str, x: Tensor, checks: tuple[str, ...]) -> None:
    b = torch.randn(x.shape[1]).to(x.dtype).requires_grad_()
    reference = x if act in STRAIGHT else x.clone().requires_grad_()
    settings = (0.2, 1.4, 3.0)
    value, gradient = torch.ops.bend.bias_act.default, torch.ops.bend.bias_act_grad.default
    for bias in (b, None):
        torch.library.opcheck(
            value, (x.clone().requires_grad_(), bias, 1, NUMBERS[act], *settings), test_utils=checks
        )
    arguments = (x * 2, reference, None, 1, NUMBERS[act], 1, *settings)
    torch.library.opcheck(gradient, arguments, test_utils=checks)


@pytest.mark.parametrize("act", ["lrelu", "swish"])
@pytest.mark.parametrize(
    ("dtype", "clamp"), [(torch.float16, 0.8), (torch.bfloat16, 181.019), (torch.float16, 181.019)]
)
def test_what_the_clamp_holds_has_no_gradient_whatever_it_rounds_to(
    act: str, dtype: torch.dtype, clamp: float
) -> None:
    x = torch.tensor([[0.1, 0.5, 3.0, 1000.0, 30000.0]], dtype=dtype, requires_grad=True)
    (dx,) = torch.autograd.grad(call(x, None, act, clamp=clamp).sum(), x)
    (expected,) = torch.autograd.grad(plain_bias_act(x, act=act, clamp=clamp).sum(), x)
    assert dx[0, -1] == expected[0, -1] == 0
    torch.testing.assert_close(dx, expected)


@pytest.mark.parametrize("shape", [(0, 8), (2, 8, 0, 5), (2, 0, 4, 5), (0, 8, 4, 5)])
def test_nothing_gives_nothing(shape: tuple[int, ...]) -> None:
    x = torch.empty(shape, requires_grad=True)
    y = call(x, torch.zeros(shape[1]), "lrelu")
    y.sum().backward()
    assert y.shape == shape
    assert x.grad is not None
    assert x.grad.shape == shape


def test_extremes_come_out_as_they_do_in_torch() -> None:
    x = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1e38, -1e38]).repeat(9)[None]
    for act, clamp in itertools.product(STRAIGHT, (None, 2.0)):
        torch.testing.assert_close(
            call(x, None, act, clamp=clamp), plain_bias_act(x, act=act, clamp=clamp), equal_nan=True
        )
    halves = torch.tensor([float("nan"), 60000.0, -60000.0, 1e-7]).repeat(9)[None]
    for dtype in (torch.float16, torch.bfloat16):
        actual = call(halves.to(dtype), None, "lrelu")
        torch.testing.assert_close(actual, plain_bias_act(halves.to(dtype), act="lrelu"), equal_nan=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(2, 3).T, None, 1, 0), "contiguous"),
        ((torch.zeros(2, 3), torch.zeros(2), 1, 0), "does not fit"),
        ((torch.zeros(2, 3), torch.zeros(3).double(), 1, 0), "dtype"),
        ((torch.zeros(2, 3), None, 2, 0), "out of range"),
        ((torch.zeros(2, 3), None, 1, 9), "unknown activation"),
        ((torch.zeros(2, 3, dtype=torch.int32), None, 1, 0), "float64, float32"),
    ],
)
def test_operator_refuses_what_it_cannot_do(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        torch.ops.bend.bias_act(*arguments, 0.2, 1.0, -1.0)


def test_public_function_takes_the_native_path_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    from stylegan.ops import native_bias_act as module

    calls = []

    def spy(*arguments: Any) -> Tensor:
        calls.append(arguments)
        return native_bias_act(*arguments)

    monkeypatch.setattr(module, "native_bias_act", spy)
    large = torch.randn(2, 64, 16, 16)
    strided = torch.randn(2, 128, 16, 16)[:, ::2]
    for x in (large, strided, large.half()):
        expected = plain_bias_act(x, torch.ones(64), act="lrelu")
        torch.testing.assert_close(bias_act(x, torch.ones(64), act="lrelu"), expected)
    assert len(calls) == 3
    bias_act(large[:1, :1], act="lrelu")  # too small
    bias_act(large, act="lrelu", alpha=-0.5)  # the result's sign does not reveal the input's
    bias_act(large, act="swish")  # torch's exponentials are faster
    bias_act(large.long())
    with native.paused():
        bias_act(large, act="lrelu")
    assert len(calls) == 3
