"""Winograd's convolution: equal to the plain one, chunked and whole, and chosen only where it applies."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan.ops import convolution, native, winograd


@pytest.fixture(autouse=True)
def small_is_enough(monkeypatch: pytest.MonkeyPatch, native_ops: None) -> None:
    monkeypatch.setattr(winograd, "_LEAST_CHANNELS", 16)
    monkeypatch.setattr(winograd, "_LEAST_CHANNELS_ON_VECTORS", 16)
    monkeypatch.setattr(winograd, "_LEAST_TILES", 1)
    monkeypatch.setattr(winograd, "_LEAST_PRODUCTS", 1)


@pytest.fixture(params=[False, True], ids=["by points", "one call"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor with narrow vectors, and as on others."""
    monkeypatch.setattr(native, "has_wide_vectors", lambda: request.param)


def draw(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator).contiguous(memory_format=torch.channels_last)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("chunk_bytes", [1, 1 << 30])
@pytest.mark.parametrize(("height", "width"), [(4, 4), (8, 12), (16, 4)])
def test_it_is_the_plain_convolution(
    monkeypatch: pytest.MonkeyPatch, height: int, width: int, chunk_bytes: int
) -> None:
    monkeypatch.setattr(winograd, "_CHUNK_BYTES", chunk_bytes)
    x, w, g = draw(3, 32, height, width), draw(48, 32, 3, 3), draw(3, 48, height, width)
    assert winograd.pays(x, w)
    torch.testing.assert_close(winograd.convolve(x, w), F.conv2d(x, w, padding=1), rtol=0, atol=3e-4)
    transposed = F.conv_transpose2d(g, w, padding=1)
    torch.testing.assert_close(winograd.convolve(g, w, is_transposed=True), transposed, rtol=0, atol=3e-4)
    leaf = w.clone().requires_grad_()
    (F.conv2d(x, leaf, padding=1) * g).sum().backward()
    torch.testing.assert_close(winograd.weight_gradient(x, g), leaf.grad, rtol=0, atol=1e-3)


@pytest.mark.usefixtures("way")
def test_first_and_second_gradients_through_it_are_the_plain_ones() -> None:
    def gradients() -> tuple[Tensor, ...]:
        x, w = draw(2, 16, 8, 8).requires_grad_(), draw(16, 16, 3, 3).requires_grad_()
        y = convolution.conv2d(x, w, 1, 1)
        (gx,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        return gx, *torch.autograd.grad(gx.pow(3).mean(), (x, w))

    ours = gradients()
    with native.paused():
        plain = gradients()
    for one, other in zip(ours, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * float(other.detach().abs().max()))


@pytest.mark.usefixtures("way")
def test_it_rounds_about_as_the_plain_sum_does() -> None:
    x, w = draw(2, 256, 16, 16), draw(64, 256, 3, 3)
    exact = F.conv2d(x.double(), w.double(), padding=1)
    scale = exact.square().mean().sqrt()
    error = (winograd.convolve(x, w) - exact).square().mean().sqrt() / scale
    assert error < 5e-6


def test_the_one_call_says_what_it_is() -> None:
    args = draw(2, 32, 8, 12), torch.randn(16, 32, 3, 3)
    torch.library.opcheck(torch.ops.bend.convolve3x3.default, args)


def test_the_one_call_refuses_what_it_cannot_read() -> None:
    with pytest.raises(RuntimeError, match="multiples of 16"):
        torch.ops.bend.convolve3x3.default(draw(1, 24, 8, 8), torch.zeros(16, 24, 3, 3))
    with pytest.raises(RuntimeError, match="channels last"):
        torch.ops.bend.convolve3x3.default(draw(1, 16, 8, 8).contiguous(), torch.zeros(16, 16, 3, 3))


@pytest.mark.parametrize(
    "x",
    [
        torch.randn(1, 24, 8, 8).contiguous(memory_format=torch.channels_last),
        torch.randn(1, 16, 6, 8).contiguous(memory_format=torch.channels_last),
        torch.randn(1, 16, 8, 8),
        torch.randn(1, 16, 8, 8).double().contiguous(memory_format=torch.channels_last),
    ],
    ids=["channels", "size", "planar", "float64"],
)
def test_what_it_cannot_do_stays_plain(x: Tensor) -> None:
    w = torch.randn(16, x.shape[1], 3, 3, dtype=x.dtype)
    assert not winograd.pays(x, w)
    torch.testing.assert_close(convolution.conv2d(x, w, 1, 1), F.conv2d(x, w, padding=1))


def test_operators_keep_their_word() -> None:
    x, y = draw(1, 16, 8, 8), draw(1, 16, 8, 8)
    torch.library.opcheck(torch.ops.bend.winograd_split.default, (x, torch.empty(4, 36, 16), False, False))
    torch.library.opcheck(torch.ops.bend.winograd_join.default, (torch.randn(4, 36, 16), y))
