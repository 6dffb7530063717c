"""Convolution and its transpose: equal to torch's, first and second derivatives included."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan.ops import convolution
from stylegan.ops.convolution import conv2d, conv_transpose2d, without_weight_gradients

CASES = [(1, 0, 3, 5), (1, 1, 3, 5), (1, 0, 1, 4), (2, 0, 3, 7), (2, 0, 3, 8), (2, 1, 3, 6), (2, 0, 1, 5)]


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(("stride", "padding", "kernel", "size"), CASES)
def test_conv2d_is_torchs_and_differentiates_twice(stride: int, padding: int, kernel: int, size: int) -> None:
    x, w = draw(1, 2, size, size + 1), draw(3, 2, kernel, kernel)
    torch.testing.assert_close(conv2d(x, w, stride, padding), F.conv2d(x, w, stride=stride, padding=padding))
    assert gradcheck(lambda x, w: conv2d(x, w, stride, padding), (x, w))
    assert gradgradcheck(lambda x, w: conv2d(x, w, stride, padding), (x, w))


@pytest.mark.parametrize("stride", [1, 2])
def test_conv_transpose2d_is_torchs_and_differentiates_twice(stride: int) -> None:
    x, w = draw(1, 2, 4, 5), draw(2, 3, 3, 3)
    torch.testing.assert_close(conv_transpose2d(x, w, stride), F.conv_transpose2d(x, w, stride=stride))
    assert gradcheck(lambda x, w: conv_transpose2d(x, w, stride), (x, w))
    assert gradgradcheck(lambda x, w: conv_transpose2d(x, w, stride), (x, w))


@pytest.mark.parametrize("size", [9, 10])
@pytest.mark.parametrize("kernel", [1, 3, 4])
def test_phased_weight_gradient_equals_the_plain_one(
    monkeypatch: pytest.MonkeyPatch, size: int, kernel: int
) -> None:
    x = torch.randn(2, 5, size, size + 1).to(memory_format=torch.channels_last)
    w = torch.randn(4, 5, kernel, kernel)

    def gradient() -> Tensor:
        leaf = w.clone().requires_grad_()
        conv2d(x, leaf, 2).square().sum().backward()
        assert leaf.grad is not None
        return leaf.grad

    plain = gradient()
    monkeypatch.setattr(convolution, "_PHASED_FROM", 1)
    torch.testing.assert_close(gradient(), plain, rtol=1e-4, atol=1e-4)


def test_weights_of_a_gradient_by_images_are_left_out_and_still_learn_from_it() -> None:
    x, w = draw(2, 3, 6, 6), draw(4, 3, 3, 3)
    loss = conv2d(x, w, 1, 1).square().sum()
    with without_weight_gradients():
        (by_image,) = torch.autograd.grad(loss, x, create_graph=True)
        with pytest.raises(RuntimeError, match="not have been used"):
            torch.autograd.grad(conv2d(x, w).sum(), w)
    (by_weight,) = torch.autograd.grad(by_image.square().sum(), w)
    (plain,) = torch.autograd.grad(F.conv2d(x, w, padding=1).square().sum(), x, create_graph=True)
    torch.testing.assert_close(by_weight, torch.autograd.grad(plain.square().sum(), w)[0])


def test_function_transforms_differentiate_it() -> None:
    x, w = draw(2, 3, 6, 6), draw(4, 3, 3, 3)
    by_weight = torch.func.grad(lambda w: conv2d(x, w, 1, 1).square().sum())(w)
    torch.testing.assert_close(by_weight, torch.autograd.grad(conv2d(x, w, 1, 1).square().sum(), w)[0])


def test_gradients_come_through_autocast() -> None:
    x, w = draw(2, 3, 6, 6).float(), draw(4, 3, 3, 3).float()
    with torch.autocast("cpu", torch.bfloat16):
        y = conv2d(x, w, 1, 1)
    (by_weight,) = torch.autograd.grad(y.sum(), w)
    (exact,) = torch.autograd.grad(F.conv2d(x, w, padding=1).sum(), w)
    torch.testing.assert_close(by_weight, exact, rtol=0.05, atol=0.05)
