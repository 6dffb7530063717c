"""The plain twins compute what we compute: a yardstick that measured something else would measure nothing."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from stylegan import AugmentPipe, Discriminator, Generator
from stylegan.augment import AUGMENT_PIPES
from stylegan.training.config import Hyperparameters, TrainConfig
from stylegan.training.optim import lazy_adam
from stylegan.training.state import TrainState
from stylegan.training.stats import Collector
from stylegan.training.step import train_step

SMALL: dict[str, Any] = {"channel_base": 1024, "channel_max": 64}
RESOLUTION = 32


def make_pair(c_dim: int, clamp: float | None) -> tuple[Generator, Discriminator]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        G = Generator(
            z_dim=32,
            c_dim=c_dim,
            w_dim=32,
            img_resolution=RESOLUTION,
            img_channels=3,
            mapping_kwargs={"num_layers": 2},
            synthesis_kwargs={**SMALL, "conv_clamp": clamp},
        )
        D = Discriminator(c_dim, RESOLUTION, 3, **SMALL, conv_clamp=clamp)
        for name, parameter in [*G.named_parameters(), *D.named_parameters()]:
            if name.endswith(("noise_strength", "bias")):
                nn.init.normal_(parameter, std=0.3)
    return G, D


@pytest.mark.parametrize(("c_dim", "clamp"), [(0, None), (3, 0.5)])
def test_networks_agree(c_dim: int, clamp: float | None) -> None:
    from twin import twin_of

    G, D = make_pair(c_dim, clamp)
    z, c, x = torch.randn(4, 32), torch.randn(4, c_dim), torch.randn(4, 3, RESOLUTION, RESOLUTION)
    for mode in ("const", "none"):
        assert_equal(twin_of(G)(z, c, noise_mode=mode), G(z, c, noise_mode=mode))  # type: ignore[arg-type]
    assert_equal(twin_of(D)(x, c), D(x, c))


def test_networks_agree_however_the_twin_convolves() -> None:
    from twin import twin_of, use_native

    G, _ = make_pair(0, None)
    z = torch.randn(4, 32)
    try:
        use_native(False, is_shared=True)
        assert_equal(twin_of(G)(z, noise_mode="const"), G(z, noise_mode="const"))
    finally:
        use_native(False)


def test_half_precision_of_the_twin_is_near_its_full_precision() -> None:
    from twin import twin_of

    G, _ = make_pair(0, 256)
    G.init_kwargs["synthesis_kwargs"]["num_fp16_res"] = 2
    z = torch.randn(2, 32)
    half, full = (twin_of(G, dtype)(z, noise_mode="none") for dtype in (torch.bfloat16, None))
    assert not torch.equal(half, full)
    torch.testing.assert_close(half, full, rtol=0.1, atol=0.1 * float(full.detach().abs().max()))


def test_other_architectures_are_refused() -> None:
    from twin import twin_of

    with pytest.raises(ValueError, match="skip"):
        twin_of(Discriminator(0, 16, 3, architecture="skip", **SMALL))


def test_augmentations_agree() -> None:
    from twin_training import augment

    pipe = AugmentPipe(**AUGMENT_PIPES["bgc"])
    pipe.p.fill_(0.7)
    images = torch.rand(8, 3, RESOLUTION, RESOLUTION) * 2 - 1
    ours = pipe(images, generator=torch.Generator().manual_seed(3))
    theirs = augment(images, pipe.settings, 0.7, torch.Generator().manual_seed(3))
    assert_equal(theirs, ours)


@pytest.mark.slow
@pytest.mark.parametrize("is_native", [False, True])
def test_a_step_of_all_phases_moves_the_same_weights_alike(
    is_native: bool, request: pytest.FixtureRequest
) -> None:
    from twin_training import twin_state, twin_step

    if is_native:
        request.getfixturevalue("native_ops")
    state, hyper = make_state()
    before = vector(state)
    theirs = twin_state(state)
    reals = torch.rand(4, 3, RESOLUTION, RESOLUTION) * 2 - 1
    labels = torch.zeros(4, 0)
    train_step(state, hyper, reals, labels, labels, seed=0, micro_batch=4, stats=Collector())
    twin_step(theirs, hyper, reals, labels, labels, seed=0)
    ours = vector(state)
    # Adam's first steps have one length whatever the gradient, so where it is nearly zero, rounding decides.
    apart = (ours - vector(theirs)).abs()
    assert (apart < 1e-4).float().mean() > 0.999
    assert apart.norm() < 0.02 * (ours - before).norm()
    torch.testing.assert_close(theirs.pl_mean, state.pl_mean, rtol=1e-3, atol=1e-6)


def make_state() -> tuple[TrainState, Hyperparameters]:
    G, D = make_pair(0, None)
    G_ema, _ = make_pair(0, None)
    for network in (G, D, G_ema):
        network.requires_grad_(False)
    hyper = Hyperparameters.resolve(TrainConfig(data="none.zip", kimg=1, base="none", batch=4), RESOLUTION)
    augment = AugmentPipe(**AUGMENT_PIPES["bgc"])
    augment.p.fill_(0.5)
    return TrainState(
        G=G,
        D=D,
        G_ema=G_ema,
        G_opt=lazy_adam(G.parameters(), hyper.g_lr, 4),
        D_opt=lazy_adam(D.parameters(), hyper.d_lr, 16),
        augment=augment,
        ada=None,
        pl_mean=torch.zeros([]),
    ), hyper


def vector(state: Any) -> Tensor:
    networks = (state.G, state.D, state.G_ema)
    return parameters_to_vector(p for network in networks for p in network.parameters()).clone()


def assert_equal(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=1e-4 * max(1.0, float(other.detach().abs().max())))
