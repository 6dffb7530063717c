"""What pictures look like to a discriminator: its feature maps, pooled, as vectors that distances are taken between.

The base's own discriminator travels in every checkpoint, so nothing is downloaded. Like LPIPS (arXiv 1801.03924) the
features come from several depths; unlike it, each map is pooled to 4×4 places, so that vectors stay small whatever the
resolution. What is measured with them is `measures`'.
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
    """Pooled maps of every block of a discriminator, before its last.

    The last block compares a picture with the others of its batch, so it is left out: a picture's features are its
    own.

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
    """The scale on which features are compared: each one's mean and spread over pictures of both worlds.

    Without it a few loud channels would decide every distance.

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
        """A ruler in which each world counts the same, however many pictures it has.

        Args:
            worlds: maps `[N, C, 16]` of the base's pictures, of the training's.
        """
        mean, std = _spread([maps.double() for maps in worlds])
        mean_overall, std_overall = _spread([maps.double().mean(dim=2) for maps in worlds])
        return cls(mean=mean, std=std, mean_overall=mean_overall, std_overall=std_overall)

    def places(self, maps: Tensor) -> Tensor:
        """Vectors that know where in the picture something is, float64 `[N, C * 16]`.

        Divided so that the distance of two of them is a root mean square over features.
        """
        scaled = ((maps.double() - self.mean) / self.std).flatten(1)
        return scaled / math.sqrt(scaled.shape[1])

    def overall(self, maps: Tensor) -> Tensor:
        """Vectors of what is in the picture, wherever, float64 `[N, C]`: for comparing sets of pictures.

        Cut at three spreads: the cubic kernel would let a single monster among them decide.
        """
        scaled = (maps.double().mean(dim=2) - self.mean_overall) / self.std_overall
        return scaled.clamp(-_MOST_SPREADS, _MOST_SPREADS)


def _spread(worlds: list[Tensor]) -> tuple[Tensor, Tensor]:
    mean = torch.stack([world.mean(dim=0) for world in worlds]).mean(dim=0)
    variance = torch.stack([(world - mean).square().mean(dim=0) for world in worlds]).mean(dim=0)
    return mean, variance.sqrt().clamp_min(_LEAST_STD)
