"""GANSpace: the principal components of w over many pictures (Härkönen et al., arXiv 2004.02546, section 2.1).

Ten thousand seeded z are mapped and the covariance of w is factorised. The mean, components and standard deviations are
cached under a hash of the mapping network, since the sample is always the same. The sample's mean is close to `w_avg`,
and is not used for drawing.
"""

import contextlib
import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bend import latents
from bend.directions.sefa import signed
from bend.errors import SettingsError
from bend.latent_file import read_arrays, write_latents
from bend.provenance import weights_sha256
from stylegan.cache import cache_folder
from stylegan.generator import Generator

__all__ = ["NUM_SAMPLES", "Spread", "spread_of_w"]

NUM_SAMPLES = 10_000
_SEED = 0
_BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How w is distributed.

    Attributes:
        mean: float64 `[w_dim]`.
        components: unit directions by falling spread, float64 `[w_dim, w_dim]`, one per row.
        std: standard deviation of w along each, `[w_dim]`.
    """

    mean: Tensor
    components: Tensor
    std: Tensor

    def along(self, directions: Tensor) -> Tensor:
        """The standard deviation of w along unit directions `[K, w_dim]`, `[K]`."""
        return ((directions @ self.components.T) * self.std).norm(dim=1)


def spread_of_w(G: Generator, class_index: int | None = None) -> Spread:
    """The distribution of w over `NUM_SAMPLES` seeded z, from the cache if it is there.

    Raises:
        SettingsError: a class the network does not have.
    """
    latents.class_vectors(G, 0, class_index)
    key = hashlib.sha256(
        f"{weights_sha256(G.mapping)} {class_index} {NUM_SAMPLES} {_SEED}".encode()
    ).hexdigest()
    path = cache_folder() / "directions" / f"w-{key[:32]}.npz"
    try:
        kept = {name: torch.from_numpy(array) for name, array in read_arrays(path).items()}
        return Spread(mean=kept["mean"], components=kept["components"], std=kept["std"])
    except (SettingsError, KeyError):
        found = _measure(G, class_index)
    with contextlib.suppress(OSError):  # a cache that cannot be written costs seconds, not the picture
        write_latents(
            path, mean=found.mean.numpy(), components=found.components.numpy(), std=found.std.numpy()
        )
    return found


def _measure(G: Generator, class_index: int | None) -> Spread:
    random = np.random.RandomState(_SEED)
    middle = latents.w_avg(G).cpu().double()  # subtracted, so that no digits cancel between the sums
    total = torch.zeros_like(middle)
    squares = torch.zeros(len(middle), len(middle), dtype=torch.float64)
    for start in range(0, NUM_SAMPLES, _BATCH):
        z = random.randn(min(_BATCH, NUM_SAMPLES - start), G.z_dim)
        w = latents.w_from_z(G, z, class_index).cpu().double() - middle
        total += w.sum(dim=0)
        squares.addmm_(w.T, w)
    mean = total / NUM_SAMPLES
    variance, vectors = torch.linalg.eigh(squares / NUM_SAMPLES - mean.outer(mean))
    mean += middle
    return Spread(
        mean=mean,
        components=signed(vectors.T.flip(0)).contiguous(),
        std=variance.flip(0).clamp(min=0).sqrt(),
    )
