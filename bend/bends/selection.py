"""Which channels a bend acts on: all, a random share, a range or list, a cluster, or the loudest.

    all    random:0.3:seed7    0-15    1,5,20-31    cluster=2    cluster=0,3    top:8

A random share is another one in each layer, drawn from the same seed. The loudest channels are chosen for each picture
by their energy `mean(x²)`, so that no picture depends on the others of its batch.
"""

import math
import re
import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bend.errors import SettingsError
from bend.number import spelled

__all__ = ["All", "Clusters", "Listed", "Random", "Selection", "Top", "merge", "parse_selection"]

_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?", re.ASCII)
_RANDOM = re.compile(r"random:([^:]+)(?::(?:seed)?(\d+))?", re.ASCII)
_TOP = re.compile(r"top:(\d{1,9})", re.ASCII)


class Selection(ABC):
    """Some of the channels of a layer; `parse_selection` reads `str()` of it back."""

    @abstractmethod
    def indices(self, layer: str, num_channels: int, labels: NDArray[np.int64] | None) -> Tensor | None:
        """The channels `[K]`, sorted; None for all of them.

        Args:
            layer: name of the tap.
            num_channels: of that layer.
            labels: cluster of each channel, for `Clusters`.

        Raises:
            SettingsError: the layer has no such channels.
        """


@dataclass(frozen=True, slots=True)
class All(Selection):
    """Every channel."""

    def indices(self, layer: str, num_channels: int, labels: NDArray[np.int64] | None) -> Tensor | None:
        return None

    def __str__(self) -> str:
        return "all"


@dataclass(frozen=True, slots=True)
class Random(Selection):
    """A seeded share of the channels, at least one."""

    fraction: float
    seed: int = 0

    def indices(self, layer: str, num_channels: int, labels: NDArray[np.int64] | None) -> Tensor | None:
        num = max(math.floor(self.fraction * num_channels + 0.5), 1)
        order = np.random.default_rng([self.seed, zlib.crc32(layer.encode())]).permutation(num_channels)
        return torch.from_numpy(np.sort(order[:num]))

    def __str__(self) -> str:
        return f"random:{spelled(self.fraction)}:seed{self.seed}"


@dataclass(frozen=True, slots=True)
class Listed(Selection):
    """Channels by number: ranges `(first, last)`."""

    ranges: tuple[tuple[int, int], ...]

    def indices(self, layer: str, num_channels: int, labels: NDArray[np.int64] | None) -> Tensor | None:
        last = max(last for _, last in self.ranges)
        if last >= num_channels:
            raise SettingsError(
                f"channels={self}: {layer} has {num_channels} channels, 0 to {num_channels - 1}"
            )
        return torch.tensor(sorted({i for first, last in self.ranges for i in range(first, last + 1)}))

    def __str__(self) -> str:
        return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in self.ranges)


@dataclass(frozen=True, slots=True)
class Clusters(Selection):
    """The channels of clusters (`bend.clusters`)."""

    numbers: tuple[int, ...]

    def indices(self, layer: str, num_channels: int, labels: NDArray[np.int64] | None) -> Tensor | None:
        if labels is None:
            raise SettingsError(
                f"{self}: {layer} has no clusters; only convolutions have them, such as b16.conv1"
            )
        if max(self.numbers) > labels.max():
            raise SettingsError(f"{self}: {layer} has clusters 0 to {labels.max()}")
        return torch.from_numpy(np.flatnonzero(np.isin(labels, self.numbers)))

    def __str__(self) -> str:
        return f"cluster={','.join(map(str, self.numbers))}"


@dataclass(frozen=True, slots=True)
class Top(Selection):
    """The loudest channels of each picture; all of them in a layer that has fewer."""

    num: int

    def indices(self, layer: str, num_channels: int, labels: NDArray[np.int64] | None) -> Tensor | None:
        return None

    def chosen(self, x: Tensor) -> Tensor:
        """True for each picture's loudest channels, `[N, C, 1, …]` for `x [N, C, …]`."""
        energy = x.detach().float().square().flatten(2).mean(dim=2) if x.ndim > 2 else x.detach().square()
        loudest = energy.topk(min(self.num, x.shape[1]), dim=1).indices
        chosen = torch.zeros_like(energy, dtype=torch.bool).scatter_(1, loudest, True)
        return chosen.reshape(*chosen.shape, *[1] * (x.ndim - 2))

    def __str__(self) -> str:
        return f"top:{self.num}"


def merge(x: Tensor, bent: Tensor, indices: Tensor | None) -> Tensor:
    """`x [N, C, …]` with the channels `indices [K]` taken from `bent`'s `[N, K, …]`; all of them for None."""
    return bent if indices is None else x.index_copy(1, indices, bent)


def parse_selection(text: str) -> Selection:
    """Read what follows `channels=`, or the whole of `cluster=K`.

    Raises:
        SettingsError: it is not a selection; says what to write.
    """
    if text == "all":
        return All()
    if text.startswith("cluster="):
        return Clusters(tuple(_whole(part, text) for part in text.removeprefix("cluster=").split(",")))
    if match := _TOP.fullmatch(text):
        if int(match[1]) < 1:
            raise SettingsError(f"channels={text}: the loudest 0 are none; ask for top:1 or more")
        return Top(int(match[1]))
    if match := _RANDOM.fullmatch(text):
        return Random(_share(match[1], text), int(match[2] or 0))
    return Listed(tuple(_span(part, text) for part in text.split(",")))


def _span(part: str, text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(part.strip())
    if match is None:
        raise SettingsError(
            f"channels={text}: {part.strip()!r} is not a channel; write all, 0-15, 1,5,9, random:0.3:seed7 or top:8"
        )
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise SettingsError(f"channels={text}: {part.strip()} is not a range; write the lower number first")
    return first, last


def _whole(part: str, text: str) -> int:
    if not (part.strip().isascii() and part.strip().isdigit()):
        raise SettingsError(f"{text}: {part.strip()!r} is not a cluster; write cluster=2 or cluster=0,3")
    return int(part)


def _share(part: str, text: str) -> float:
    try:
        share = float(part)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise SettingsError(
            f"channels={text}: {part!r} is not a share; write one above 0 and up to 1, such as 0.3"
        )
    return share
