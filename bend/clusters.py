"""Which channels of a layer draw the same thing: clusters by where in the plane the channels are active.

Broad, Leymarie & Grierson (Entropy 24(1):28, 2022) train an autoencoder for each layer. Here each channel's map is
averaged over many seeds, shrunk to 8×8 and normalised, and the maps are grouped by k-means under the cosine distance
(spherical k-means, Dhillon & Modha 2001), which needs no training and takes seconds on a CPU. The result is cached
under a hash of the weights, so that a network always has the same clusters.
"""

import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from bend import latents
from bend.provenance import weights_sha256
from stylegan.atomic import atomic_path
from stylegan.cache import cache_folder
from stylegan.generator import Generator
from stylegan.taps import Tap, hang, taps

__all__ = [
    "ChannelClusters",
    "Labels",
    "LabelsOf",
    "average_maps",
    "cluster_layer",
    "find_clusters",
    "labels_of",
    "num_clusters",
]

Labels: TypeAlias = NDArray[np.int64]
LabelsOf: TypeAlias = Callable[[str], Labels | None]
"""From the name of a layer to the cluster `[C]` of each of its channels; None for a layer without clusters."""

_NUM_SEEDS = 256
_BATCH = 16
_SIDE = 8
_RESTARTS = 8
_MOST_ROUNDS = 100
_VERSION = 1  # of the method: other clusters, another file


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelClusters:
    """The clusters of one network.

    Attributes:
        labels: by name of the convolution, the cluster `[C]` of each channel; cluster 0 is the loudest.
        maps: by the same name, where each cluster is active, `[K, 8, 8]`, 0 to 1.
    """

    labels: Mapping[str, Labels]
    maps: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


def labels_of(G: Generator) -> LabelsOf:
    """The labels of a network's layers; its clusters are found when a layer is first asked for."""
    found: ChannelClusters | None = None

    def labels(name: str) -> Labels | None:
        nonlocal found
        if found is None:
            found = find_clusters(G)
        return found.labels.get(name)

    return labels


def find_clusters(G: Generator, *, num_seeds: int = _NUM_SEEDS, cache: Path | None = None) -> ChannelClusters:
    """The clusters of every convolution of a network, from the cache where it has them.

    Args:
        G: the generator, with nothing hung on it.
        num_seeds: pictures to average over.
        cache: folder to keep clusters in; None for one below that of `stylegan.cache`.
    """
    folder = cache_folder() / "clusters" if cache is None else cache
    path = folder / f"v{_VERSION}-{num_seeds}-{weights_sha256(G)[:32]}.npz"
    kept = _read(path, G)
    if kept is not None:
        return kept
    labels: dict[str, Labels] = {}
    maps: dict[str, NDArray[np.float32]] = {}
    places = [tap for tap in taps(G).values() if tap.kind == "conv"]
    averages = average_maps(G, places, num_seeds)
    for depth, tap in enumerate(places):
        k = num_clusters(depth, len(places), tap.channels)
        labels[tap.name], maps[tap.name] = cluster_layer(averages[tap.name], k)
    found = ChannelClusters(labels=labels, maps=maps)
    _write(path, found)
    return found


@torch.inference_mode()
def average_maps(G: Generator, places: list[Tap], num_seeds: int) -> dict[str, Tensor]:
    """Each channel's mean map over the seeds 0, 1, 2, …, float32 `[C, side, side]` with a side of at most 8."""
    sums: dict[str, Tensor] = {}
    c_dim = G.c_dim
    with tqdm(total=num_seeds, desc="finding clusters", unit="picture", disable=None) as bar:
        for start in range(0, num_seeds, _BATCH):
            seeds = range(start, min(start + _BATCH, num_seeds))
            # A conditional network draws all its classes in turn.
            rows = [
                latents.ws_from_z(
                    G, latents.z_from_seeds([seed], G.z_dim), class_index=seed % c_dim if c_dim else None
                )
                for seed in seeds
            ]
            handles = [hang(G, tap, _adding(tap.name, sums)) for tap in places]
            try:
                G.synthesis(torch.cat(rows), noise_mode="none")
            finally:
                for handle in handles:
                    handle.remove()
            bar.update(len(rows))
    return {name: (total / num_seeds).cpu() for name, total in sums.items()}


def num_clusters(depth: int, num_layers: int, num_channels: int) -> int:
    """5 for the first third of the layers, 4 for the second, 3 for the last; never more than channels."""
    return min(5 - min(3 * depth // num_layers, 2), num_channels)


def cluster_layer(maps: Tensor, k: int, seed: int = 0) -> tuple[Labels, NDArray[np.float32]]:
    """Group channels by the shape of their maps.

    Args:
        maps: `[C, H, W]`.
        k: number of clusters.
        seed: of the eight random starts, of which the best result is kept.

    Returns:
        The cluster `[C]` of each channel, numbered from the loudest, and where each is active, `[k, H, W]`, 0 to 1.
    """
    centred = (maps - maps.flatten(1).mean(dim=1)[:, None, None]).flatten(1)
    unit = F.normalize(centred.double(), dim=1).numpy()
    generator = np.random.default_rng(seed)
    tries = [_spherical_k_means(unit, k, generator) for _ in range(_RESTARTS)]
    labels = max(tries, key=lambda one: one[1])[0]
    energy = maps.double().square().flatten(1).mean(dim=1).numpy()
    loudness = [energy[labels == number].sum() for number in range(k)]
    rank = np.argsort(np.argsort(-np.asarray(loudness), kind="stable"), kind="stable")
    labels = rank[labels].astype(np.int64)
    heat = [_between_0_and_1(unit[labels == number].sum(axis=0)) for number in range(k)]
    return labels, np.stack(heat).reshape(k, *maps.shape[1:]).astype(np.float32)


def _spherical_k_means(
    unit: NDArray[np.float64], k: int, generator: np.random.Generator
) -> tuple[Labels, float]:
    """Labels `[C]` of the rows of `unit [C, D]`, none empty, and the sum of cosines to the centres."""
    centres = _first_centres(unit, k, generator)
    labels = np.full(len(unit), -1, dtype=np.int64)
    for _ in range(_MOST_ROUNDS):
        closeness = unit @ centres.T
        now = closeness.argmax(axis=1)
        for empty in set(range(k)) - set(now.tolist()):
            crowded = np.isin(now, np.flatnonzero(np.bincount(now, minlength=k) > 1))
            farthest = np.where(crowded, closeness.max(axis=1), np.inf).argmin()
            now[farthest] = empty
        if (now == labels).all():
            break
        labels = now
        sums = np.stack([unit[labels == number].sum(axis=0) for number in range(k)])
        centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return labels, float((unit * centres[labels]).sum())


def _first_centres(unit: NDArray[np.float64], k: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Rows far from one another: each drawn by its distance from those drawn before (k-means++)."""
    chosen = [int(generator.integers(len(unit)))]
    while len(chosen) < k:
        distance = np.clip(1 - (unit @ unit[chosen].T).max(axis=1), 0, None)
        distance[chosen] = 0
        weights = distance if distance.sum() > 0 else np.isin(np.arange(len(unit)), chosen, invert=True) * 1.0
        chosen.append(int(generator.choice(len(unit), p=weights / weights.sum())))
    return unit[chosen]


def _between_0_and_1(values: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = np.ptp(values)
    return (values - values.min()) / spread if spread > 0 else np.zeros_like(values)


def _adding(name: str, sums: dict[str, Tensor]) -> Callable[[Tensor], Tensor]:
    def add(x: Tensor) -> Tensor:
        side = min(_SIDE, x.shape[2])
        total = F.adaptive_avg_pool2d(x.float(), (side, side)).sum(dim=0)
        sums[name] = sums[name] + total if name in sums else total
        return x

    return add


def _read(path: Path, G: Generator) -> ChannelClusters | None:
    """What is kept at `path`; None if there is nothing, or nothing whole."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            names = [name.removeprefix("labels/") for name in file.files if name.startswith("labels/")]
            labels = {name: file[f"labels/{name}"].astype(np.int64) for name in names}
            maps = {name: file[f"maps/{name}"] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    wanted = {tap.name: tap.channels for tap in taps(G).values() if tap.kind == "conv"}
    if {name: len(found) for name, found in labels.items()} != wanted:
        return None
    return ChannelClusters(labels=labels, maps=maps)


def _write(path: Path, found: ChannelClusters) -> None:
    """Keep clusters for the next time; if the cache cannot be written, they are found again then."""
    arrays: dict[str, Any] = {f"labels/{name}": labels for name, labels in found.labels.items()}
    arrays |= {f"maps/{name}": maps for name, maps in found.maps.items()}
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)
    except OSError:
        return
