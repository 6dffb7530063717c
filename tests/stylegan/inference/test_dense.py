"""A linear layer for a few rows, against torch in float64 and against itself."""

import pytest
import torch
from torch import Tensor

from stylegan import inference
from stylegan.layers import DenseLayer
from stylegan.ops import native

pytestmark = [
    pytest.mark.usefixtures("native_ops"),
    pytest.mark.skipif(
        not native.has_wide_vectors(), reason="the kernels serve processors with AVX2 or AVX-512"
    ),
]


def dense(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor | None:
    with torch.no_grad():
        return inference.dense_layer(x, weight, bias, weight_gain=0.25, bias_gain=2)


@pytest.mark.parametrize("rows", [1, 3, 4, 9, 32])
@pytest.mark.parametrize(("inputs", "outputs"), [(16, 5), (48, 130), (512, 512)])
def test_it_is_the_plain_product(rows: int, inputs: int, outputs: int) -> None:
    torch.manual_seed(rows)
    x, weight, bias = torch.randn(rows, inputs), torch.randn(outputs, inputs), torch.randn(outputs)
    y = dense(x, weight, bias)
    assert y is not None
    expected = x.double() @ weight.double().T * 0.25 + bias.double() * 2
    torch.testing.assert_close(y.double(), expected, atol=2e-5, rtol=0)


def test_a_row_does_not_depend_on_those_beside_it() -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(7, 64), torch.randn(48, 64), torch.randn(48)
    together = dense(x, weight, bias)
    assert together is not None
    for i in range(7):
        alone = dense(x[i : i + 1], weight, bias)
        assert alone is not None
        assert alone[0].equal(together[i])


def test_rows_may_lie_apart() -> None:
    torch.manual_seed(0)
    ws, weight, bias = torch.randn(6, 3, 32), torch.randn(48, 32), torch.randn(48)
    apart, together = (dense(x, weight, bias) for x in (ws[:, 1], ws[:, 1].contiguous()))
    assert apart is not None
    assert together is not None
    assert apart.equal(together)


@pytest.mark.parametrize(
    ("x", "weight"),
    [
        (torch.zeros(2, 24), torch.zeros(8, 24)),  # no whole vectors
        (torch.zeros(33, 32), torch.zeros(8, 32)),  # many rows: torch's product is faster
        (torch.zeros(2, 32, dtype=torch.float64), torch.zeros(8, 32)),
        (torch.zeros(32, 2).T, torch.zeros(8, 32)),
        (torch.zeros(2, 16), torch.zeros(8, 32)),
        (torch.zeros(0, 32), torch.zeros(8, 32)),
    ],
)
def test_what_it_does_not_take_is_left_to_torch(x: Tensor, weight: Tensor) -> None:
    assert dense(x, weight, torch.zeros(8)) is None


def test_a_layer_takes_it_unless_somebody_differentiates() -> None:
    torch.manual_seed(0)
    layer, x = DenseLayer(32, 48, bias_init=1), torch.randn(3, 32)
    with torch.no_grad():
        fast = layer(x)
        with native.paused():
            torch.testing.assert_close(fast, layer(x), atol=1e-5, rtol=0)
    assert layer(x).requires_grad


def test_the_kernel_says_what_it_is() -> None:
    args = (torch.randn(3, 32), torch.randn(8, 32), torch.randn(8), 0.5, 1.0)
    torch.library.opcheck(torch.ops.bend.dense.default, args)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((torch.zeros(2, 24), torch.zeros(8, 24), torch.zeros(8)), "multiple of 16"),
        ((torch.zeros(2, 32), torch.zeros(8, 32), torch.zeros(7)), "the bias must be"),
        ((torch.zeros(2, 32).half(), torch.zeros(8, 32), torch.zeros(8)), "float32"),
    ],
)
def test_the_kernel_refuses_what_it_cannot_read(args: tuple[Tensor, ...], told: str) -> None:
    with pytest.raises(RuntimeError, match=told):
        torch.ops.bend.dense.default(*args, 1.0, 1.0)
