"""Embeddings of pictures: near is alike, gradients flow, and LPIPS's distance is the embedding's."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bend.projection.perception import by_discriminator, by_lpips, by_pixels, find_perception
from bend.render import images
from tests.bend.projection.test_search import tiny_discriminator
from tests.bend.tiny import tiny_generator


def pictures(*seeds: int) -> Tensor:
    drawn = np.stack(list(images(tiny_generator(), seeds)))
    return torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 127.5 - 1


@pytest.mark.parametrize(
    "perception", [by_pixels(), by_discriminator(tiny_discriminator())], ids=lambda p: p.name
)
def test_a_little_noise_is_nearer_than_another_picture(perception) -> None:  # type: ignore[no-untyped-def]
    a, b = pictures(1), pictures(2)
    noisy = a + 0.02 * torch.randn(a.shape, generator=torch.Generator().manual_seed(0))
    seen = [perception.embed(x) for x in (a, noisy, b)]
    assert perception.distance(seen[0], seen[0]).tolist() == [0]
    assert perception.distance(seen[0], seen[1]) < perception.distance(seen[0], seen[2]) / 3


def test_gradients_flow_to_every_pixel() -> None:
    perception = by_discriminator(tiny_discriminator())
    x = pictures(1).requires_grad_()
    perception.distance(perception.embed(x), perception.embed(pictures(2))).sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().amax(dim=1) > 0).float().mean() > 0.99


def test_other_sizes_are_looked_at_at_the_discriminator_s() -> None:
    perception = by_discriminator(tiny_discriminator())
    assert (
        perception.embed(torch.zeros(2, 3, 32, 64)).shape == perception.embed(torch.zeros(2, 3, 16, 16)).shape
    )


def test_grey_networks_have_eyes_too() -> None:
    perception = by_discriminator(tiny_discriminator(img_channels=1))
    assert perception.embed(torch.zeros(1, 1, 16, 16)).isfinite().all()


def test_without_lpips_and_discriminator_pixels_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert find_perception(None).name == "pixels"
    assert find_perception(tiny_discriminator()).name == "discriminator"


class _Lpips(nn.Module):
    """What `lpips.LPIPS` is made of, with two layers, and its own distance by the paper's formula."""

    def __init__(self) -> None:
        super().__init__()
        self.scaling_layer = nn.Identity()
        self.layers = nn.ModuleList([nn.Conv2d(3, 5, 3), nn.Conv2d(3, 7, 3, stride=2)])
        self.lins = nn.ModuleList(
            [nn.Sequential(nn.Dropout(), nn.Conv2d(c, 1, 1, bias=False)) for c in (5, 7)]
        )
        for lin in self.lins:
            lin[1].weight.data.abs_()

    def net(self, x: Tensor) -> list[Tensor]:
        return [layer(x) for layer in self.layers]

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        total = torch.zeros(len(a))
        for x, y, lin in zip(self.net(a), self.net(b), self.lins, strict=True):
            difference = x / x.norm(dim=1, keepdim=True) - y / y.norm(dim=1, keepdim=True)
            total += lin(difference.square()).mean(dim=(1, 2, 3))
        return total


def test_lpips_as_an_embedding_is_lpips() -> None:
    torch.manual_seed(0)
    network = _Lpips()
    perception = by_lpips(network)
    a, b = torch.randn(2, 3, 64, 64), torch.randn(2, 3, 64, 64)
    distance = perception.distance(perception.embed(a), perception.embed(b))
    torch.testing.assert_close(distance, network(a, b), rtol=1e-4, atol=1e-6)
