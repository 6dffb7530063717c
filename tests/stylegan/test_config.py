"""The presets, against the published table."""

import dataclasses

import pytest

from stylegan.config import PRESETS, preset
from stylegan.errors import ConfigError, StyleganError

# batch, mbstd, channel_base, lr, gamma, ema_kimg, mapping layers
TABLE = {
    "stylegan2": (32, 4, 32768, 0.002, 10, 10, 8),
    "paper256": (64, 8, 16384, 0.0025, 1, 20, 8),
    "paper512": (64, 8, 32768, 0.0025, 0.5, 20, 8),
    "paper1024": (32, 4, 32768, 0.002, 2, 10, 8),
    "cifar": (64, 32, 32768, 0.0025, 0.01, 500, 2),
}


@pytest.mark.parametrize("name", TABLE)
def test_presets_are_the_published_ones(name: str) -> None:
    chosen = preset(name, 64)
    values = (
        chosen.batch,
        chosen.mbstd_group,
        chosen.channel_base,
        chosen.lr,
        chosen.r1_gamma,
        chosen.ema_kimg,
        chosen.mapping_layers,
    )
    assert values == TABLE[name]
    is_cifar = name == "cifar"
    assert (chosen.pl_weight, chosen.style_mixing) == ((0, 0) if is_cifar else (2, 0.9))
    assert chosen.d_architecture == ("orig" if is_cifar else "resnet")


def test_every_preset_but_auto_is_in_the_table() -> None:
    assert set(PRESETS) == {*TABLE, "auto"}


@pytest.mark.parametrize(
    ("resolution", "batch", "lr"),
    [
        (32, 32, 0.0025),
        (64, 32, 0.0025),
        (256, 16, 0.0025),
        (1024, 4, 0.002),
        (4096, 1, 0.002),
        (8192, 1, 0.002),
    ],
)
def test_auto_follows_the_resolution(resolution: int, batch: int, lr: float) -> None:
    chosen = preset("auto", resolution)
    assert (chosen.batch, chosen.mbstd_group, chosen.lr) == (batch, min(batch, 4), lr)
    assert chosen.r1_gamma == pytest.approx(0.0002 * resolution**2 / batch)
    assert chosen.ema_kimg == pytest.approx(batch * 10 / 32)
    assert chosen.channel_base == (32768 if resolution >= 512 else 16384)
    assert chosen.mapping_layers == 2


def test_a_batch_of_ones_own_moves_what_auto_computes_from_it() -> None:
    chosen = preset("auto", 256, 8)
    assert (chosen.batch, chosen.mbstd_group, chosen.ema_kimg) == (8, 4, 2.5)
    assert chosen.r1_gamma == pytest.approx(0.0002 * 256**2 / 8)
    assert preset("paper256", 256, 8) == dataclasses.replace(preset("paper256", 256), batch=8)


def test_an_unknown_preset_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"unknown preset 'paper9'; known: auto, stylegan2, paper256"):
        preset("paper9", 64)
    assert issubclass(ConfigError, (StyleganError, ValueError))


def test_presets_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        preset("paper256", 256).batch = 1  # type: ignore[misc]
