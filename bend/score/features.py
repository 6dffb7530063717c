"""Feature vectors of pictures, for distances: the pooled feature maps of a discriminator.

The base's own discriminator is in every checkpoint, so nothing is downloaded. As in LPIPS (arXiv 1801.03924), features
come from several depths; but each map is pooled to 4×4 places, so that vectors stay small at any resolution. `measures`
computes distances with them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from stylegan.discriminator import Discriminator

__all__ = ["Ruler", "feature_maps"]

_PLACES = 4  # a side of the pooled maps
_LEAST_STD = 1e-6
_MOST_SPREADS = 3.0


@torch.inference_mode()
def feature_maps(D: Discriminator, images: Tensor) -> Tensor:
    """Pooled maps of every block of a discriminator but the last.

    The last block compares a picture with the others of its batch; without it, a picture's features are its own.

    Args:
        D: the discriminator.
        images: `[N, img_channels, img_resolution, img_resolution]` in [-1, 1].

    Returns:
        float32 `[N, C, 16]` on the CPU, C being the channels of all blocks together.
    """
    x: Tensor | None = None
    rest: Tensor | None = images.to(D.b4.conv.weight.dtype)
    pooled = []
    for block in D.blocks():
        x, rest = block(x, rest, True)
        pooled.append(functional.adaptive_avg_pool2d(x, _PLACES).flatten(2))
    maps = torch.cat(pooled, dim=1).float().cpu()
    return torch.nan_to_num(maps, nan=0.0, posinf=0.0, neginf=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruler:
    """Normalises features by their mean and spread over the base's and the data set's pictures.

    Without it, a few channels of large values would decide every distance.

    Attributes:
        mean: of the maps, `[C, 16]`.
        std: of the maps, `[C, 16]`.
        mean_overall: of the maps averaged over places, `[C]`.
        std_overall: of those, `[C]`.
    """

    mean: Tensor
    std: Tensor
    mean_overall: Tensor
    std_overall: Tensor

    @classmethod
    def of(cls, worlds: Sequence[Tensor]) -> Self:
        """A ruler in which each set of pictures counts the same, however many it has.

        Args:
            worlds: maps `[N, C, 16]` of each set, such as the base's pictures and those of the data set.
        """
        mean, std = _spread([maps.double() for maps in worlds])
        mean_overall, std_overall = _spread([maps.double().mean(dim=2) for maps in worlds])
        return cls(mean=mean, std=std, mean_overall=mean_overall, std_overall=std_overall)

    def places(self, maps: Tensor) -> Tensor:
        """Vectors that depend on where in the picture something is, float64 `[N, C * 16]`.

        They are scaled so that the distance between two of them is a root mean square over features.
        """
        scaled = ((maps.double() - self.mean) / self.std).flatten(1)
        return scaled / math.sqrt(scaled.shape[1])

    def overall(self, maps: Tensor) -> Tensor:
        """Vectors of what is anywhere in the picture, float64 `[N, C]`, for comparing sets of pictures.

        Values are clamped to three spreads, since otherwise the cubic kernel would let a single outlier decide.
        """
        scaled = (maps.double().mean(dim=2) - self.mean_overall) / self.std_overall
        return scaled.clamp(-_MOST_SPREADS, _MOST_SPREADS)


def _spread(worlds: list[Tensor]) -> tuple[Tensor, Tensor]:
    mean = torch.stack([world.mean(dim=0) for world in worlds]).mean(dim=0)
    variance = torch.stack([(world - mean).square().mean(dim=0) for world in worlds]).mean(dim=0)
    return mean, variance.sqrt().clamp_min(_LEAST_STD)
