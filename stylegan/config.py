"""Training presets: batch, learning rate, R1 weight and EMA half-life by name (arXiv 2006.06676, appendix C).

A preset never sets the architecture of a fine-tuning: that always comes from the checkpoint.
"""

import dataclasses

from stylegan.errors import ConfigError

__all__ = ["PRESETS", "Preset", "preset"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What a preset decides."""

    batch: int
    """Images a step, over all devices."""
    mbstd_group: int
    """Samples a group of the minibatch standard deviation."""
    channel_base: int
    """Channels times resolution, for a network from scratch."""
    lr: float
    """Learning rate of Adam, for both networks."""
    r1_gamma: float
    """Weight of the R1 penalty."""
    ema_kimg: float
    """Half-life of the weight average, in thousands of images."""
    mapping_layers: int
    """Layers of the mapping network, for a network from scratch."""
    pl_weight: float = 2.0
    """Weight of the path-length penalty, 0 for none."""
    style_mixing: float = 0.9
    """Probability of style mixing."""
    d_architecture: str = "resnet"
    """Discriminator architecture, for a network from scratch."""


PRESETS: dict[str, Preset | None] = {
    "auto": None,  # computed from the resolution
    "stylegan2": Preset(
        batch=32, mbstd_group=4, channel_base=32768, lr=0.002, r1_gamma=10, ema_kimg=10, mapping_layers=8
    ),
    "paper256": Preset(
        batch=64, mbstd_group=8, channel_base=16384, lr=0.0025, r1_gamma=1, ema_kimg=20, mapping_layers=8
    ),
    "paper512": Preset(
        batch=64, mbstd_group=8, channel_base=32768, lr=0.0025, r1_gamma=0.5, ema_kimg=20, mapping_layers=8
    ),
    "paper1024": Preset(
        batch=32, mbstd_group=4, channel_base=32768, lr=0.002, r1_gamma=2, ema_kimg=10, mapping_layers=8
    ),
    "cifar": Preset(
        batch=64,
        mbstd_group=32,
        channel_base=32768,
        lr=0.0025,
        r1_gamma=0.01,
        ema_kimg=500,
        mapping_layers=2,
        pl_weight=0,
        style_mixing=0,
        d_architecture="orig",
    ),
}


def preset(name: str, resolution: int, batch: int | None = None) -> Preset:
    """The preset called `name`, `auto` computed for a resolution and a batch.

    It is the paper's for one device, however many share the work: what is trained does not depend on that.

    Args:
        name: a key of `PRESETS`.
        resolution: side of the pictures.
        batch: images a step; the preset's own if None.

    Raises:
        ConfigError: unknown name.
    """
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; known: {', '.join(PRESETS)}")
    chosen = PRESETS[name] or _auto(resolution, batch)
    return chosen if batch is None else dataclasses.replace(chosen, batch=batch)


def _auto(resolution: int, batch: int | None) -> Preset:
    usual_batch = max(min(4096 // resolution, 32), 1)
    batch = batch or usual_batch
    return Preset(
        batch=batch,
        mbstd_group=min(usual_batch, 4),
        channel_base=32768 if resolution >= 512 else 16384,
        lr=0.002 if resolution >= 1024 else 0.0025,
        r1_gamma=0.0002 * resolution**2 / batch,
        ema_kimg=batch * 10 / 32,
        mapping_layers=2,
    )
