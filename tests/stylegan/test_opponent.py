"""A discriminator for a generator that has none."""

import torch

from stylegan.generator import Generator
from stylegan.opponent import fresh_discriminator

WIDTH = {"channel_base": 256, "channel_max": 16}


def test_it_takes_what_the_generator_makes_and_is_as_wide() -> None:
    G = Generator(32, 2, 32, 16, 1, synthesis_kwargs=WIDTH)
    D = fresh_discriminator(G, mbstd_group_size=2)
    c = torch.eye(2)
    assert D(G(torch.randn(2, 32), c), c).shape == (2, 1)
    assert {name: D.init_kwargs[name] for name in WIDTH} == WIDTH
    assert D.b4.mbstd_group_size == 2


def test_its_weights_follow_the_seed_alone() -> None:
    G = Generator(32, 0, 32, 16, 3, synthesis_kwargs=WIDTH)
    before = torch.get_rng_state()
    first, again, other = (fresh_discriminator(G, seed=seed).b4.fc.weight for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
