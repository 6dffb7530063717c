"""Run folders without a training: a tiny base that turns, snapshot by snapshot, into another network.

The data set holds pictures of that other network, so that the way from home to the data is known.
"""

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bend import render
from stylegan.archive import ArchiveWriter
from stylegan.checkpoint import NetworkMeta, save_network
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator
from stylegan.run_names import snapshot_name
from stylegan.training.config import Hyperparameters, TrainConfig
from stylegan.training.run_folder import write_options
from tests.bend.tiny import tiny_generator

__all__ = [
    "between",
    "collapsed",
    "drawn_at",
    "save_snapshot",
    "tiny_discriminator",
    "write_data",
    "write_run",
]


def tiny_discriminator() -> Discriminator:
    """A random discriminator for 16×16 pictures."""
    torch.manual_seed(9)
    return Discriminator(0, 16, 3, channel_base=256, channel_max=16).eval().requires_grad_(False)


def between(first: Generator, other: Generator, share: float) -> Generator:
    """The network at that share of the way from one to the other."""
    G = copy.deepcopy(first)
    with torch.no_grad():
        for mine, its in zip(G.state_dict().values(), other.state_dict().values(), strict=True):
            mine.lerp_(its, share)
    return G


def drawn_at(share: float, seed: int, *, psi: float = 1.0) -> NDArray[np.int64]:
    """The picture of a seed by the network at that share of the way from the tiny base to the other."""
    G = between(tiny_generator(seed=0), tiny_generator(seed=1), share)
    return next(render.images(G, [seed], truncation_psi=psi)).astype(np.int64)


def collapsed(G: Generator) -> Generator:
    """The same network, but every latent draws nearly the same picture."""
    G = copy.deepcopy(G)
    with torch.no_grad():
        for name, parameter in G.named_parameters():
            if name.endswith("affine.weight"):
                parameter.mul_(0.01)
    return G


def write_data(path: Path, G: Generator, num: int = 40) -> Path:
    """A data set of pictures that `G` draws."""
    with ArchiveWriter(path) as archive:
        for picture in render.images(G, range(1000, 1000 + num)):
            archive.add(picture)
    return path


def save_snapshot(run: Path, kimg: float, G: Generator, G_ema: Generator | None = None) -> Path:
    """One snapshot, with the discriminator."""
    path = run / snapshot_name(kimg)
    save_network(
        path, G=G, D=tiny_discriminator(), G_ema=G if G_ema is None else G_ema, meta=NetworkMeta(kimg=kimg)
    )
    return path


def write_run(
    parent: Path,
    shares: Sequence[float] = (0.0, 0.2, 0.5, 0.8, 0.9, 0.95),
    kimg: Sequence[float] = (0, 0.25, 0.5, 1, 2, 4),
) -> Path:
    """A run folder whose averaged generator lags a little behind, with its data set beside it."""
    run = parent / "00000-rocks-tiny"
    home, away = tiny_generator(seed=0), tiny_generator(seed=1)
    data = write_data(parent / "rocks.zip", away)
    for at, share in zip(kimg, shares, strict=True):
        save_snapshot(run, at, between(home, away, share), between(home, away, share**1.5))
    config = TrainConfig(data=str(data), kimg=kimg[-1] or 1, snapshots=",".join(map(str, kimg)), base="none")
    write_options(run, config, Hyperparameters.resolve(config, 16), {"data": {"path": str(data)}})
    return run
