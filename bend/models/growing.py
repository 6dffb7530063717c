"""`bend models grow`: a network of a higher resolution that draws what the small one drew, to train on from."""

import dataclasses
from pathlib import Path

import torch

from bend.errors import SettingsError, none_made_meanwhile
from bend.picture import refuse_existing
from stylegan.checkpoint import load_network, save_network
from stylegan.growth import grow_discriminator, grow_generator

__all__ = ["Grown", "grow_network"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """What was written."""

    output: Path
    networks: tuple[str, ...]
    """Which of `G`, `D` and `G_ema` the file holds."""
    source: str
    """What it was grown from."""
    img_resolution: int
    """Side of its pictures."""


def grow_network(
    source: str,
    output: Path,
    img_resolution: int,
    *,
    channel_base: int | None = None,
    seed: int = 0,
    force: bool = False,
) -> Grown:
    """Write a network grown from another.

    Args:
        source: a name, file, run folder or RUN@KIMG.
        output: a `.safetensors` file.
        img_resolution: a power of two greater than the network's.
        channel_base: channels times resolution, at least the network's; None keeps it.
        seed: of the weights that are new.
        force: write over the file.

    Raises:
        SettingsError: `output` is another kind of file.
        RenderError: the output exists.
        StyleganError: the network cannot be read, or cannot grow.
    """
    refuse_existing(output, force)
    if output.suffix != ".safetensors":
        raise SettingsError(
            f"{output}: a grown network is written as .safetensors; `bend models convert` makes other formats from it"
        )
    network = load_network(source)
    grown = {}
    D = network.D
    with torch.random.fork_rng(devices=[]):
        for name, G in (("G", network.G), ("G_ema", network.G_ema)):
            if G is not None:
                torch.manual_seed(seed)  # the raw generator and its average get the same new weights
                grown[name] = grow_generator(G, img_resolution, channel_base=channel_base)
        if D is not None:
            torch.manual_seed(seed)
            D = grow_discriminator(D, img_resolution, channel_base=channel_base)
    meta = dataclasses.replace(network.meta, base=Path(source).name)
    with none_made_meanwhile(output):
        save_network(output, G=grown.get("G"), D=D, G_ema=grown.get("G_ema"), meta=meta, replace=force)
    held = tuple(name for name in ("G", "D", "G_ema") if name in grown or (name == "D" and D is not None))
    return Grown(output=output, networks=held, source=source, img_resolution=img_resolution)
