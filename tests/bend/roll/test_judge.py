"""What is alive and what is dead: nothing changed, nothing to see, noise, all alike."""

import numpy as np
import pytest

from bend import render
from bend.picture import Pixels
from bend.roll.judge import Judge
from stylegan.discriminator import Discriminator
from tests.bend.tiny import tiny_generator


@pytest.fixture(scope="module")
def home() -> Pixels:
    """Six smooth pictures, unlike one another."""
    y, x = np.mgrid[0:32, 0:32] / 32
    waves = [
        128 + 100 * np.sin(2 * np.pi * (fx * x + fy * y))
        for fx, fy in [(1, 0), (0, 1), (1, 1), (2, 0), (0, 2), (2, 1)]
    ]
    return np.repeat(np.stack(waves)[..., None], 3, axis=3).astype(np.uint8)


def test_the_dead_are_told_apart(home: Pixels) -> None:
    judge = Judge(home, None)
    rng = np.random.default_rng(0)
    assert judge.judge(home, home).fault == "unchanged"
    assert judge.judge(np.full_like(home, 128), home).fault == "blank"
    assert judge.judge(np.full_like(home, 255), home).fault == "blank"
    assert judge.judge(rng.integers(0, 256, home.shape, dtype=np.uint8), home).fault == "noise"
    assert judge.judge(np.repeat(home[:1], 6, axis=0), home).fault == "alike"
    living = judge.judge(255 - home, home)
    assert living.fault == ""
    assert living.distance > 1
    assert living.diversity == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_discriminator_lends_its_eyes(channels: int) -> None:
    G = tiny_generator(img_channels=channels)
    D = Discriminator(0, 16, channels, channel_base=256, channel_max=16).eval()
    pictures = np.stack(list(render.images(G, range(6))))
    judge = Judge(pictures, D)
    assert judge.judge(pictures, pictures).fault == "unchanged"
    assert judge.judge(255 - pictures, pictures).distance > 0.3
