"""The search for a latent: its schedule and noise against references, and a generated picture that is found again."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bend import latents
from bend.projection.perception import by_discriminator
from bend.projection.search import Step, autocorrelation, learning_rate, project_w
from bend.style_layers import style_layers
from stylegan.discriminator import Discriminator
from tests.bend.tiny import tiny_generator


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path))


def tiny_discriminator(resolution: int = 16, img_channels: int = 3) -> Discriminator:
    torch.manual_seed(7)
    D = Discriminator(0, resolution, img_channels, channel_base=256, channel_max=16)
    return D.eval().requires_grad_(False)


def test_learning_rate_ramps_up_stays_and_fades() -> None:
    rates = [learning_rate(share) for share in np.linspace(0, 1, 1001)]
    assert rates[0] == 0
    assert rates[25] == pytest.approx(0.05)
    assert rates[50:751] == pytest.approx([0.1] * 701)
    assert rates[875] == pytest.approx(0.05)
    assert rates[1000] == pytest.approx(0)


def test_autocorrelation_against_loops() -> None:
    noise = np.random.RandomState(0).randn(16, 16)
    total = 0.0
    x = noise
    while True:
        side = len(x)
        across = sum(x[i, j] * x[i, j - 1] for i in range(side) for j in range(side)) / side**2
        down = sum(x[i, j] * x[i - 1, j] for i in range(side) for j in range(side)) / side**2
        total += across**2 + down**2
        if side <= 8:
            break
        x = x.reshape(side // 2, 2, side // 2, 2).mean(axis=(1, 3)) * 2
    assert float(autocorrelation(torch.from_numpy(noise))) == pytest.approx(total)
    stripes = torch.ones(64, 64)
    assert float(autocorrelation(stripes)) > 100 * float(autocorrelation(torch.randn(64, 64)))


@pytest.mark.parametrize(("space", "num_steps", "factor"), [("w", 150, 20), ("w+", 60, 4)])
@pytest.mark.slow
def test_a_generated_picture_is_found_again(space: str, num_steps: int, factor: float) -> None:
    G = tiny_generator(noise_strength=0.02)
    perception = by_discriminator(tiny_discriminator())
    w = latents.w_from_z(G, latents.z_from_seeds([5], 32))
    with torch.no_grad():
        target = G.synthesis(latents.ws_from_w(G, w), noise_mode="const")
    own = [at.layer.noise_const for at in style_layers(G)]
    steps: list[Step] = []
    found = project_w(G, target, perception, space=space, steps=num_steps, seed=1, on_step=steps.append)
    assert [step.index for step in steps] == list(range(num_steps))
    assert found.last_distance < found.first_distance / factor
    average = latents.w_avg(G)
    away, left = float((w - average).norm()), float((found.ws - w[:, None]).norm(dim=2).mean())
    if space == "w":  # with a w a layer, many give the same picture
        assert left < away / 2
        assert (found.ws == found.ws[:, :1]).all()
    for at, noise in zip(style_layers(G), own, strict=True):
        assert at.layer.noise_const is noise


def test_the_same_seed_finds_the_same() -> None:
    G = tiny_generator()
    perception = by_discriminator(tiny_discriminator())
    with torch.no_grad():
        target = G.synthesis(latents.ws_from_z(G, latents.z_from_seeds([5], 32)), noise_mode="const")

    def found(seed: int) -> Tensor:
        return project_w(G, target, perception, steps=12, seed=seed).ws

    assert torch.equal(found(1), found(1))
    assert not torch.equal(found(1), found(2))


def test_noise_stays_white() -> None:
    G = tiny_generator(resolution=32, noise_strength=1.0)
    perception = by_discriminator(tiny_discriminator(32))
    target = torch.linspace(-1, 1, 32).expand(1, 3, 32, 32)
    heard: list[Tensor] = []

    def listen(step: Step) -> None:
        heard[:] = [at.layer.noise_const.detach().clone() for at in style_layers(G)]

    project_w(G, target, perception, steps=30, on_step=listen)
    assert len(heard) == len(style_layers(G))
    for noise in heard:
        assert float(noise.mean()) == pytest.approx(0, abs=1e-5)
        assert float(noise.square().mean()) == pytest.approx(1, abs=1e-4)
        assert float(autocorrelation(noise)) < 0.05
