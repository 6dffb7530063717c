"""A grown network computes what the small one did, and learns with all that is new in it."""

import pytest
import torch

from stylegan import Discriminator, Generator
from stylegan.errors import ConfigError
from stylegan.growth import grow_discriminator, grow_generator
from stylegan.ops import downsample2d, setup_filter, upsample2d

FILTER = setup_filter([1, 3, 3, 1])


def _generator(**synthesis: object) -> Generator:
    torch.manual_seed(0)
    G = Generator(
        z_dim=8,
        c_dim=2,
        w_dim=8,
        img_resolution=16,
        img_channels=3,
        mapping_kwargs={"num_layers": 2},
        synthesis_kwargs={"channel_base": 128, "channel_max": 12, **synthesis},
    ).eval()
    for name, parameter in G.named_parameters():
        if "bias" in name or "noise_strength" in name:
            torch.nn.init.normal_(parameter)
    return G


def _discriminator(**kwargs: object) -> Discriminator:
    torch.manual_seed(1)
    settings = {"channel_base": 128, "channel_max": 12, **kwargs}
    D = Discriminator(c_dim=2, img_resolution=16, img_channels=3, **settings).eval()  # type: ignore[arg-type]
    for name, parameter in D.named_parameters():
        if "bias" in name:
            torch.nn.init.normal_(parameter)
    return D


@pytest.mark.parametrize(("resolution", "channel_base"), [(32, None), (64, None), (32, 256), (64, 512)])
def test_a_grown_generator_draws_the_old_picture_enlarged(resolution: int, channel_base: int | None) -> None:
    G = _generator()
    grown = grow_generator(G, resolution, channel_base=channel_base)
    z, c = torch.randn(3, 8), torch.eye(3, 2)
    expected = G(z, c, noise_mode="const")
    for _ in range(resolution.bit_length() - 5):
        expected = upsample2d(expected, FILTER)
    drawn = grown(z, c, noise_mode="const")
    assert drawn.shape == (3, 3, resolution, resolution)
    torch.testing.assert_close(drawn, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("resolution", "channel_base"), [(32, 256), (64, 512), (64, 1024)])
def test_a_grown_discriminator_judges_the_picture_made_small(resolution: int, channel_base: int) -> None:
    D = _discriminator()
    grown = grow_discriminator(D, resolution, channel_base=channel_base)
    x, c = torch.randn(4, 3, resolution, resolution), torch.eye(4, 2)
    small = x
    for _ in range(resolution.bit_length() - 5):
        small = downsample2d(small, FILTER)
    torch.testing.assert_close(grown(x, c), D(small, c), atol=1e-5, rtol=1e-4)


def test_what_is_new_learns() -> None:
    G = grow_generator(_generator(), 32, channel_base=256)
    D = grow_discriminator(_discriminator(), 32, channel_base=256)
    c = torch.eye(4, 2)
    D(G(torch.randn(4, 8), c), c).sum().backward()
    assert G.synthesis.b32.torgb.weight.grad is not None
    assert G.synthesis.b32.torgb.weight.grad.abs().min() > 0
    silent = G.synthesis.b16.conv1.weight.grad[:8, 8:]  # from new channels to old ones
    assert silent.abs().max() > 0
    assert D.b16.conv0.weight.grad[:8, 8:].abs().max() > 0


def test_what_cannot_grow_is_refused() -> None:
    with pytest.raises(ConfigError, match="16 pixels grows to a greater power of two, not 16"):
        grow_generator(_generator(), 16)
    with pytest.raises(ConfigError, match="not 48"):
        grow_discriminator(_discriminator(), 48)
    with pytest.raises(ConfigError, match="channel_base 64 is less than the network's 128"):
        grow_generator(_generator(), 32, channel_base=64)
    with pytest.raises(ConfigError, match="'resnet' cannot grow"):
        grow_generator(_generator(architecture="resnet"), 32)
    with pytest.raises(ConfigError, match="'orig' cannot grow"):
        grow_discriminator(_discriminator(architecture="orig"), 32)
    with pytest.raises(ConfigError, match="activation 'relu' cannot grow"):
        grow_discriminator(_discriminator(block_kwargs={"activation": "relu"}), 32, channel_base=256)
    for grow, network in ((grow_generator, _generator()), (grow_discriminator, _discriminator())):
        with pytest.raises(ConfigError, match="channel_base 128 leaves no channels at 256 pixels; give a"):
            grow(network, 256)
        with pytest.raises(ConfigError, match="8192 pixels at most, not 16384"):
            grow(network, 16384, channel_base=1 << 20)
    with pytest.raises(ConfigError, match="6 channels to pass through"):
        grow_discriminator(_discriminator(), 32)
    with pytest.raises(ConfigError, match="keeps its channels at 4×4"):
        grow_discriminator(_discriminator(channel_base=32), 32, channel_base=256)
