"""Bilinear sampling: torch's values and gradients, and a second derivative."""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from stylegan.augment.bilinear import bilinear


def _example(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn([2, 3, 5, 6], generator=generator, dtype=dtype).requires_grad_()
    grid = 2.4 * torch.rand([2, 4, 7, 2], generator=generator, dtype=dtype) - 1.2  # some of it outside
    return images, grid


def test_values_and_gradient_are_those_of_grid_sample() -> None:
    images, grid = _example(torch.float32)
    ours, torchs = bilinear(images, grid), F.grid_sample(images, grid, align_corners=False)
    torch.testing.assert_close(ours, torchs, rtol=0, atol=0)
    weights = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1))
    gradients = [torch.autograd.grad((y * weights).sum(), images)[0] for y in (ours, torchs)]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=0)


def test_two_derivatives() -> None:
    images, grid = _example(torch.float64)
    assert gradcheck(lambda x: bilinear(x, grid), images)
    assert gradgradcheck(lambda x: bilinear(x, grid).square(), images)


def test_the_grid_may_be_shared_storage_and_images_strided() -> None:
    images, grid = _example(torch.float32)
    strided = images.detach().transpose(2, 3).contiguous().transpose(2, 3).requires_grad_()
    expanded = grid[:1].expand(2, -1, -1, -1)
    y = bilinear(strided, expanded)
    torch.testing.assert_close(y, bilinear(images, expanded.contiguous()))
    (gradient,) = torch.autograd.grad(y.sum(), strided)
    (expected,) = torch.autograd.grad(F.grid_sample(images, expanded, align_corners=False).sum(), images)
    torch.testing.assert_close(gradient, expected)
