"""Biased activations: the official outputs and gradients, finite differences, refusals."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan.ops import bias_act
from stylegan.ops.bias_act import ACTIVATIONS, default_gain
from tests.stylegan.ops.golden import arrays, cases

CASES = cases("bias_act")
VARIANTS = [
    pytest.param({}, id="defaults"),
    pytest.param({"gain": 0.7, "alpha": 0.3}, id="gain"),
    pytest.param({"clamp": 0.9}, id="clamp"),
]


def away_from_kinks(*shape: int) -> Tensor:
    """Values whose activations are smooth nearby: finite differences fail at the kink of `relu` and at a clamp."""
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64)
    return x + 0.05 * x.sign()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["key"])
def test_gives_the_official_output_and_gradients(case: dict[str, Any]) -> None:
    golden = arrays(case["key"])
    x, b = golden["x"].requires_grad_(), golden["b"].requires_grad_()
    assert x.dtype == torch.float64
    options = {key: case[key] for key in ("act", "alpha", "gain", "clamp")}
    y = bias_act(x, b, **options)
    dx, db = torch.autograd.grad(y, [x, b], golden["dy"])
    for actual, name in ((y, "y"), (dx, "dx"), (db, "db")):
        torch.testing.assert_close(actual.detach(), golden[name], atol=1e-4, rtol=0)


def test_official_cases_cover_every_activation() -> None:
    assert {case["act"] for case in CASES} == set(ACTIVATIONS)
    assert len(CASES) == 3 * len(ACTIVATIONS)


@pytest.mark.parametrize("options", VARIANTS)
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_first_and_second_derivatives(act: str, options: dict[str, Any]) -> None:
    x = away_from_kinks(3, 4, 2).requires_grad_()
    b = (0.01 * torch.randn(4, dtype=torch.float64)).requires_grad_()

    def activate(x: Tensor, b: Tensor) -> Tensor:
        return bias_act(x, b, act=act, **options)

    assert gradcheck(activate, [x, b])
    assert gradgradcheck(activate, [x, b])


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_default_gain_is_the_published_one(act: str) -> None:
    expected = math.sqrt(2) if act in ("relu", "lrelu", "swish") else 1
    assert default_gain(act) == pytest.approx(expected)
    x = torch.linspace(-2, 2, 9)[None]
    torch.testing.assert_close(bias_act(x, act=act), bias_act(x, act=act, gain=1) * expected)


def test_slope_of_lrelu() -> None:
    x = torch.tensor([[-1.0, 1.0]])
    torch.testing.assert_close(bias_act(x, act="lrelu", gain=1), torch.tensor([[-0.2, 1.0]]))
    torch.testing.assert_close(bias_act(x, act="lrelu", gain=1, alpha=0.5), torch.tensor([[-0.5, 1.0]]))


def test_clamp_is_symmetric_and_after_the_gain() -> None:
    x = torch.tensor([[-10.0, -0.1, 0.1, 10.0]])
    torch.testing.assert_close(bias_act(x, gain=2, clamp=1), torch.tensor([[-1.0, -0.2, 0.2, 1.0]]))
    torch.testing.assert_close(bias_act(x, clamp=-1), x)


def test_bias_runs_along_any_dimension() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 5)
    for dim in (0, 1, 2, 3, -1, -3):
        b = torch.randn(x.shape[dim])
        expected = (x.movedim(dim, -1) + b).movedim(-1, dim)
        torch.testing.assert_close(bias_act(x, b, dim=dim), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_keeps_shape_dtype_and_layout(act: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    b = torch.randn(3)
    y = bias_act(x.to(dtype), b, act=act)
    assert y.dtype == dtype
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y.float(), bias_act(x, b, act=act), atol=0.05, rtol=0.01)


@pytest.mark.parametrize("b", [torch.zeros(2), torch.zeros(3, 1)])
def test_refuses_a_bias_that_does_not_fit(b: Tensor) -> None:
    with pytest.raises(ValueError, match="does not fit dimension 1"):
        bias_act(torch.zeros(2, 3), b)


def test_refuses_an_unknown_activation() -> None:
    with pytest.raises(ValueError, match=r"unknown activation 'gelu'; known: linear, relu"):
        bias_act(torch.zeros(2, 3), act="gelu")
    with pytest.raises(ValueError, match="unknown activation 'gelu'"):
        default_gain("gelu")
