"""Adam under lazy regularisation, and gradients that are not finite."""

import math

import pytest
import torch
from torch import nn

from stylegan.training.optim import lazy_adam, mend_gradients


@pytest.mark.parametrize(("interval", "c"), [(4, 4 / 5), (16, 16 / 17), (None, 1.0)])
def test_lazy_adam_scales_rate_and_betas(interval: int | None, c: float) -> None:
    (group,) = lazy_adam([nn.Parameter(torch.zeros(2))], 0.002, interval).param_groups
    assert group["lr"] == pytest.approx(0.002 * c)
    assert group["betas"] == pytest.approx((0, 0.99**c))
    assert group["eps"] == 1e-8


def test_without_momentum_the_first_step_is_the_rate() -> None:
    parameter = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = lazy_adam([parameter], 0.01, None)
    parameter.grad = torch.tensor([100.0, -0.5])
    optimizer.step()
    assert parameter.tolist() == pytest.approx([0.99, -1.99], abs=1e-6)


def test_bad_gradients_are_counted_and_replaced() -> None:
    parameters = [nn.Parameter(torch.zeros(4)), nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))]
    parameters[0].grad = torch.tensor([1.0, math.nan, math.inf, -math.inf])
    parameters[1].grad = torch.tensor([3.0, 4.0])
    assert mend_gradients(parameters) == 3
    assert parameters[0].grad.tolist() == [1, 0, 1e5, -1e5]
    assert parameters[1].grad.tolist() == [3, 4]
    assert parameters[2].grad is None
    assert mend_gradients(parameters) == 0


def test_infinities_that_cancel_are_found() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([math.inf, -math.inf])
    assert mend_gradients([parameter]) == 2


def test_large_but_finite_gradients_are_left() -> None:
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3e38, 3e38])  # their sum overflows
    assert mend_gradients([parameter]) == 0
    assert torch.isfinite(parameter.grad).all()


def test_nothing_to_mend() -> None:
    assert mend_gradients([nn.Parameter(torch.zeros(1))]) == 0
