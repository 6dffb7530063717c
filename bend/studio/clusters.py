"""Clusters as pictures to choose from: where in the plane the channels of each cluster are active.

Each layer is a strip with a tile for each cluster: its channels' mean map as heat over the average picture, so that one
sees, for example, which cluster draws the eyes.
"""

import dataclasses
from typing import Any

import numpy as np
from PIL import Image

from bend.bends.selection import Clusters, Listed
from bend.latents import w_avg
from bend.picture import data_url, encode_webp
from bend.play import Moment
from bend.studio.patch import Module, Patch
from bend.studio.stage import Stage

__all__ = ["cluster_facts", "with_listed_clusters"]

_SIDE = 64


def cluster_facts(stage: Stage) -> dict[str, Any]:
    """For every convolution, the number of channels in each cluster and a strip of their pictures."""
    found = stage.clusters()
    background = _average_picture(stage)
    layers = {}
    for name, labels in found.labels.items():
        layers[name] = {
            "channels": np.bincount(labels).tolist(),
            "strip": _strip(found.maps[name], background),
        }
    return {"network": stage.standing.name, "side": _SIDE, "layers": layers}


def with_listed_clusters(stage: Stage, patch: Patch) -> Patch:
    """The patch with the channels of its clusters by number, if its weights are others than those that were opened.

    A render would look for the clusters in the weights that it draws with, where there are others.
    """
    if patch.kimg is None and patch.dial.base is None:
        return patch
    return dataclasses.replace(patch, modules=tuple(_listed(stage, module) for module in patch.modules))


def _listed(stage: Stage, module: Module) -> Module:
    channels, tap = module.spec.channels, module.spec.tap
    labels = stage.clusters().labels.get(tap) if isinstance(channels, Clusters) else None
    if labels is None:
        return module
    indices = channels.indices(tap, len(labels), labels)
    assert indices is not None
    listed = Listed(tuple((i, i) for i in indices.tolist()))
    return dataclasses.replace(module, spec=dataclasses.replace(module.spec, channels=listed))


def _average_picture(stage: Stage) -> np.ndarray:
    """The picture in the middle of the network's latents, grey, float `[side, side]`, 0 to 1."""
    picture = stage.draw(Patch(), w_avg(stage.G), Moment())
    grey = Image.fromarray(picture).convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return np.asarray(grey, np.float32) / 255


def _strip(maps: np.ndarray, background: np.ndarray) -> str:
    """Heat maps `[K, h, w]`, 0 to 1, side by side over the background, as a data URL."""
    tiles = []
    for heat in maps:
        grey = Image.fromarray((np.clip(heat, 0, 1) * 255).astype(np.uint8))
        warm = np.asarray(grey.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC), np.float32) / 255
        dim = background * (0.35 + 0.65 * warm)
        tiles.append(np.stack([np.clip(dim + 0.5 * warm, 0, 1), dim * (0.5 + 0.5 * warm), dim * 0.7], axis=2))
    strip = (np.concatenate(tiles, axis=1) * 255).astype(np.uint8)
    return data_url(encode_webp(strip, quality=70))
