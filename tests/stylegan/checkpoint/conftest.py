"""Fixtures of the checkpoint tests."""

from pathlib import Path

import pytest

from stylegan.checkpoint import NetworkMeta, save_network
from tests.stylegan.checkpoint.crafted import tiny_discriminator, tiny_generator


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A genuine network file with G, D and G_ema."""
    path = tmp_path_factory.mktemp("network") / "good.safetensors"
    save_network(
        path,
        G=tiny_generator(0),
        D=tiny_discriminator(1),
        G_ema=tiny_generator(2),
        meta=NetworkMeta(kimg=4.5, augment_p=0.25, base="faces64", licence="CC0-1.0", seed=3),
    )
    return path
