"""The official networks' numbers again, through the native operations: images, path lengths, R1 and their gradients."""

import importlib

import pytest
import torch

from stylegan import Discriminator, Generator
from stylegan.ops import native
from tests.stylegan.test_golden_networks import (  # noqa: F401 - collected here anew
    golden_discriminator,
    golden_generator,
    test_discriminator_gives_the_official_logits_and_r1,
    test_path_lengths_and_their_gradients_are_the_official_ones,
    test_synthesis_gives_the_official_images,
)

pytestmark = pytest.mark.usefixtures("native_ops", "no_size_too_small")


@pytest.fixture
def no_size_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tensors take the native path as well."""
    monkeypatch.setattr(importlib.import_module("stylegan.ops.bias_act"), "_LEAST_NUMEL", 0)


def second_gradients() -> list[torch.Tensor]:
    """R1's gradient by the discriminator's weights, and a path length's by the generator's."""
    torch.manual_seed(0)
    size = {"img_resolution": 16, "img_channels": 3, "channel_base": 512, "channel_max": 32}
    G = Generator(
        z_dim=8, c_dim=0, w_dim=8, img_resolution=16, img_channels=3, synthesis_kwargs={"channel_max": 32}
    )
    D = Discriminator(c_dim=0, **size)
    images = torch.randn(2, 3, 16, 16, requires_grad=True)
    (by_image,) = torch.autograd.grad(D(images, None).sum(), images, create_graph=True)
    ws = G.mapping(torch.randn(2, 8), None).detach().requires_grad_()
    drawn = G.synthesis(ws, noise_mode="const")
    (by_ws,) = torch.autograd.grad((drawn * torch.linspace(-1, 1, 16)).sum(), ws, create_graph=True)
    loss = by_image.square().sum() + by_ws.square().sum()
    weights = [weight for network in (D, G) for weight in network.parameters()]
    found = torch.autograd.grad(loss, weights, allow_unused=True)
    # Whether an absent gradient is None or zeros differs.
    return [
        torch.zeros_like(weight) if gradient is None else gradient
        for gradient, weight in zip(found, weights, strict=True)
    ]


def test_gradients_of_gradients_through_whole_networks() -> None:
    actual = second_gradients()
    with native.paused():
        expected = second_gradients()
    assert len(actual) == len(expected) > 30
    for one, other in zip(actual, expected, strict=True):
        scale = other.abs().max().clamp(min=1e-6)
        torch.testing.assert_close(one / scale, other / scale, atol=2e-3, rtol=0)
