"""Metrics by pretrained networks, if the `[metrics]` extra and its weights are there: LPIPS, KID, FID.

Nothing is downloaded here. A metric has a name, and is called with a snapshot's pictures. Its network satisfies one of
the small protocols below, so that tests can bring their own. KID and FID compare with the data by Inception's features,
LPIPS with the base's pictures by AlexNet's. With the few pictures of a score FID is biased upwards (arXiv 1801.01401),
equally for every snapshot: its course counts, not its value.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from bend.score.measures import kernel_distance

Pictures: TypeAlias = Callable[[], Iterable[Tensor]]

__all__ = [
    "Embed",
    "Fid",
    "Kid",
    "Lpips",
    "Metric",
    "PairDistance",
    "Pictures",
    "found_metrics",
    "frechet_distance",
]

_INCEPTION_SIZE = (299, 299)


class Metric(Protocol):
    """A number for a snapshot's pictures."""

    @property
    def name(self) -> str:
        """Key in `score.json`."""
        ...

    def __call__(self, images: Tensor) -> float:
        """Measure pictures of the fixed seeds, `[N, C, H, W]` in [-1, 1]."""
        ...


class Embed(Protocol):
    """A network that turns pictures into vectors."""

    def __call__(self, images: Tensor) -> Tensor:
        """Pictures `[N, C, H, W]` in [-1, 1] to vectors `[N, F]`."""
        ...


class PairDistance(Protocol):
    """A network that measures how different two pictures look."""

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Pictures `[N, C, H, W]` in [-1, 1], pair by pair, to distances `[N]`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kid:
    """Kernel inception distance to the data (arXiv 1801.01401), times a thousand as people report it.

    Attributes:
        embed: the features.
        data: vectors of the data's pictures, `[M, F]`.
    """

    embed: Embed
    data: Tensor
    name: str = field(default="kid_x1000", init=False)

    def __call__(self, images: Tensor) -> float:
        return 1000 * kernel_distance(self.embed(images).double(), self.data.double()).value


@dataclass(frozen=True, slots=True, kw_only=True)
class Fid:
    """Fréchet inception distance to the data (arXiv 1706.08500).

    Attributes:
        embed: the features.
        data: vectors of the data's pictures, `[M, F]`.
    """

    embed: Embed
    data: Tensor
    name: str = field(default="fid", init=False)

    def __call__(self, images: Tensor) -> float:
        return frechet_distance(self.embed(images).double(), self.data.double())


@dataclass(frozen=True, slots=True, kw_only=True)
class Lpips:
    """Mean LPIPS (arXiv 1801.03924) to the base's pictures of the same seeds.

    Attributes:
        distance: the network.
        base: the base's pictures, `[N, C, H, W]` in [-1, 1].
    """

    distance: PairDistance
    base: Tensor
    name: str = field(default="lpips", init=False)

    def __call__(self, images: Tensor) -> float:
        return float(self.distance(images, self.base[: len(images)]).double().mean())


def frechet_distance(x: Tensor, y: Tensor) -> float:
    """Squared Fréchet distance of the normal distributions with the means and covariances of two sets.

    `|mx - my|² + tr(X + Y - 2 (X Y)^½)`. The trace of the root is the sum of singular values of the product of both
    centred sets, so that no covariance is built: with N pictures its rank is N - 1 at most.

    Args:
        x: `[N, F]`, N at least 2.
        y: `[M, F]`, M at least 2.
    """
    a, b = (x - x.mean(dim=0)) / (len(x) - 1) ** 0.5, (y - y.mean(dim=0)) / (len(y) - 1) ** 0.5
    means = (x.mean(dim=0) - y.mean(dim=0)).square().sum()
    root = torch.linalg.svdvals(a @ b.T).sum()
    return float(means + a.square().sum() + b.square().sum() - 2 * root)


def found_metrics(base: Pictures, data: Pictures) -> Sequence[Metric]:
    """The metrics whose networks are on this machine; none if the extra is not installed.

    Args:
        base: gives the base's pictures of the fixed seeds, batches `[N, C, H, W]` in [-1, 1].
        data: gives pictures of the data set, likewise.
    """
    metrics: list[Metric] = []
    if (embed := _inception()) is not None:
        vectors = torch.cat([embed(batch) for batch in data()])
        metrics += [Kid(embed=embed, data=vectors), Fid(embed=embed, data=vectors)]
    if (distance := _lpips()) is not None:
        metrics.append(Lpips(distance=distance, base=torch.cat(list(base()))))
    return metrics


def _inception() -> Embed | None:
    """torchvision's Inception, if it is installed and its weights are already in torch's cache."""
    weights = _cached("inception_v3_google-*.pth")
    if weights is None or importlib.util.find_spec("torchvision") is None:
        return None
    network = importlib.import_module("torchvision.models").inception_v3(weights=None, init_weights=False)
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    network.fc = torch.nn.Identity()  # the 2048 features before the classes
    network.eval()

    @torch.inference_mode()
    def embed(images: Tensor) -> Tensor:
        # In [-1, 1], as Google trained it, unlike networks of torchvision's own.
        colour = images.cpu().expand(-1, 3, -1, -1)
        sized = functional.interpolate(colour, size=_INCEPTION_SIZE, mode="bilinear", antialias=True)
        return torch.cat([network(batch) for batch in sized.split(16)])

    return embed


def _lpips() -> PairDistance | None:
    """LPIPS, if the package is installed and AlexNet's weights are already in torch's cache."""
    if _cached("alexnet-*.pth") is None or importlib.util.find_spec("lpips") is None:
        return None
    lpips: Any = importlib.import_module("lpips")
    network = lpips.LPIPS(net="alex", verbose=False).eval()

    @torch.inference_mode()
    def distance(a: Tensor, b: Tensor) -> Tensor:
        one, other = (images.cpu().expand(-1, 3, -1, -1) for images in (a, b))
        distances: Tensor = network(one, other).flatten()
        return distances

    return distance


def _cached(pattern: str) -> Path | None:
    """A file of weights in torch's cache; None if there is none."""
    return next(iter(sorted((Path(torch.hub.get_dir()) / "checkpoints").glob(pattern))), None)
