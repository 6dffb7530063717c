"""How different two pictures look: an embedding in which distances roughly match what a person sees.

It is LPIPS (Zhang et al., arXiv 1801.03924) if the `lpips` package and its weights are already on this machine; nothing
is ever downloaded. Otherwise the network's own discriminator is used in the same way, which most files include: its
feature maps at every depth, normalised over the channels at each place, together with low-resolution pixels, which fix
colour and brightness. Without a discriminator there are only the pixels. All of these are differentiable.
"""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from stylegan.discriminator import Discriminator

__all__ = ["Perception", "by_discriminator", "by_lpips", "by_pixels", "find_perception"]

Embed: TypeAlias = Callable[[Tensor], Tensor]

_PIXELS = 16  # side of the low-resolution pictures
_PIXEL_WEIGHT = 1.0
_LPIPS_SIDE = 256  # larger pictures are shrunk for LPIPS (arXiv 1912.04958, appendix D)
_LPIPS_SMALLEST = 64  # and smaller ones enlarged, since it cannot take them
_LPIPS_BACKBONE = "vgg16-397923af.pth"


@dataclass(frozen=True, slots=True)
class Perception:
    """An embedding of pictures.

    Attributes:
        name: `lpips`, `discriminator` or `pixels`.
        embed: pictures `[N, C, H, W]` in [-1, 1] to float32 vectors `[N, F]`.
    """

    name: str
    embed: Embed

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """The squared distance of vectors `[N, F]`, `[N]`: what an optimiser lowers."""
        return (a - b).square().sum(dim=1)


def find_perception(D: Discriminator | None) -> Perception:
    """The best embedding available on this machine and for this network, as the module describes."""
    weights = Path(torch.hub.get_dir()) / "checkpoints" / _LPIPS_BACKBONE
    if importlib.util.find_spec("lpips") is not None and weights.is_file():
        network = importlib.import_module("lpips").LPIPS(net="vgg", verbose=False)
        return by_lpips(network if D is None else network.to(D.b4.conv.weight.device))
    return by_pixels() if D is None else by_discriminator(D)


def by_discriminator(D: Discriminator) -> Perception:
    """The feature maps of all of D's blocks, and low-resolution pixels."""

    def embed(images: Tensor) -> Tensor:
        images = _resized(images, D.img_resolution)
        x: Tensor | None = None
        rest: Tensor | None = images
        parts = []
        for block in D.blocks():
            x, rest = block(x, rest, True)
            parts.append(_unit(x).flatten(1) / (x.shape[2] * x.shape[3] * len(D.block_resolutions)) ** 0.5)
        return torch.cat([*parts, _pixels(images)], dim=1)

    return Perception("discriminator", embed)


def by_pixels() -> Perception:
    """Low-resolution pixels."""
    return Perception("pixels", _pixels)


def by_lpips(network: nn.Module) -> Perception:
    """LPIPS as an embedding: since it weights squared differences, features are scaled by the roots of the weights.

    Args:
        network: `lpips.LPIPS(net="vgg")`, or an object with its `scaling_layer`, `net` and `lins`.
    """
    network.eval().requires_grad_(False)
    parts: Any = network

    def embed(images: Tensor) -> Tensor:
        side = min(max(min(images.shape[2:]), _LPIPS_SMALLEST), _LPIPS_SIDE)
        images = _resized(images.expand(-1, 3, -1, -1), side)
        features = []
        for x, lin in zip(parts.net(parts.scaling_layer(images)), parts.lins, strict=True):
            weights = next(p for p in lin.parameters() if p.ndim == 4)  # [1, C, 1, 1], never negative
            weighted = _unit(x) * weights.clamp(min=0).reshape(1, -1, 1, 1).sqrt()
            features.append(weighted.flatten(1) / (x.shape[2] * x.shape[3]) ** 0.5)
        return torch.cat(features, dim=1)

    return Perception("lpips", embed)


def _pixels(images: Tensor) -> Tensor:
    side = min(_PIXELS, *images.shape[2:])
    small = functional.adaptive_avg_pool2d(images.float(), side)
    return small.flatten(1) * (_PIXEL_WEIGHT / small[0].numel()) ** 0.5


def _unit(x: Tensor) -> Tensor:
    """Each place's features `[N, C, H, W]` at length 1."""
    return x.float() * (x.float().square().sum(dim=1, keepdim=True) + 1e-10).rsqrt()


def _resized(images: Tensor, side: int) -> Tensor:
    if images.shape[2:] == (side, side):
        return images
    return functional.interpolate(images.float(), (side, side), mode="bilinear", antialias=True)
