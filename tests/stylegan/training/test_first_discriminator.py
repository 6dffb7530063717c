"""Which discriminator a training starts with, and that layers frozen by an earlier training train again."""

from pathlib import Path

import pytest
import torch

from stylegan.checkpoint import Network, NetworkMeta, load_network
from stylegan.checkpoint.load import EMBEDDED
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator
from stylegan.training.config import Hyperparameters, TrainConfig
from stylegan.training.first_discriminator import (
    discriminator_note,
    first_discriminator,
    nearest_embedded,
)

WIDTH = {"channel_base": 256, "channel_max": 16}


def base(D: Discriminator | None = None, resolution: int = 16, c_dim: int = 0, channels: int = 3) -> Network:
    G = Generator(16, c_dim, 16, resolution, channels, synthesis_kwargs=WIDTH)
    return Network(G=None, D=D, G_ema=G, meta=NetworkMeta(), path=Path("net.pt"))


def first(network: Network) -> Discriminator:
    config = TrainConfig(data="rocks.zip", kimg=1)
    hyper = Hyperparameters.resolve(config, network.generator().img_resolution)
    return first_discriminator(network, config, hyper)


def test_the_bases_own_is_copied() -> None:
    D = Discriminator(0, 16, 3, **WIDTH)
    network = base(D)
    found = first(network)
    assert discriminator_note(network) is None
    assert torch.equal(found.b4.out.weight, D.b4.out.weight)
    assert found.b4.out.weight.data_ptr() != D.b4.out.weight.data_ptr()


def test_frozen_layers_of_the_base_train_again() -> None:
    D = Discriminator(0, 16, 3, **WIDTH, block_kwargs={"freeze_layers": 3})
    assert "b16.conv0.weight" not in dict(D.named_parameters())
    found = first(base(D))
    assert found.init_kwargs["block_kwargs"] == {}
    assert set(dict(found.named_parameters())) >= {"b16.conv0.weight", "b16.fromrgb.bias"}
    for key, value in D.state_dict().items():
        assert torch.equal(found.state_dict()[key], value), key
    found.b16.conv0.weight.data.fill_(7)
    assert not torch.equal(found.b16.conv0.weight, D.b16.conv0.weight)


@pytest.mark.parametrize("wrong", [{"resolution": 16}, {"c_dim": 3}, {"channels": 1}])
def test_where_no_embedded_one_fits_it_is_new(wrong: dict[str, int]) -> None:
    network = base(**{"resolution": 64, **wrong})
    assert nearest_embedded(network.generator()) is None
    assert discriminator_note(network) == ("the base has no discriminator: one starts from random weights")
    D, G = first(network), network.generator()
    assert (D.img_resolution, D.img_channels, D.c_dim) == (G.img_resolution, G.img_channels, G.c_dim)
    assert torch.equal(D.b4.out.weight, first(network).b4.out.weight)


@pytest.mark.skipif(not EMBEDDED["faces64"].exists(), reason="not in this working tree")
def test_an_embedded_one_that_takes_the_pictures_stands_in() -> None:
    network = base(resolution=64)
    assert discriminator_note(network) == "the base has no discriminator: that of faces64 stands in"
    embedded = load_network("faces64").D
    assert embedded is not None
    assert torch.equal(first(network).b4.out.weight, embedded.b4.out.weight)


def test_an_installation_without_embedded_networks_starts_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EMBEDDED, "faces64", tmp_path / "gone.safetensors")
    assert nearest_embedded(base(resolution=64).generator()) is None
