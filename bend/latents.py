"""Seeds to z, z to w, w to ws: every way in which a picture's latent comes to be, in the order it happens.

A seed is the same picture everywhere: `numpy.random.RandomState(seed).randn(1, z_dim)`. Truncation pulls w
towards the running mean `w_avg` (Karras et al., arXiv 1812.04948, appendix B). Paths through these spaces are
`bend.walks`.
"""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bend.errors import SettingsError
from stylegan.generator import Generator

__all__ = [
    "class_vectors",
    "device_of",
    "plane",
    "w_avg",
    "w_from_z",
    "ws_from_w",
    "ws_from_z",
    "z_from_seeds",
]


def z_from_seeds(seeds: Iterable[int], z_dim: int) -> NDArray[np.float64]:
    """The latents `[N, z_dim]` of the seeds, each 0 to 2³² - 1."""
    rows = [np.random.RandomState(seed).randn(1, z_dim) for seed in seeds]
    return np.concatenate(rows) if rows else np.zeros([0, z_dim])


def class_vectors(G: Generator, num: int, class_index: int | None) -> Tensor | None:
    """One-hot labels `[num, c_dim]`; None for an unconditional network.

    Raises:
        SettingsError: a conditional network without a class, a class it does not have, or the reverse.
    """
    if G.c_dim == 0:
        if class_index is not None:
            raise SettingsError("this network knows no classes; leave --class out")
        return None
    if class_index is None:
        raise SettingsError(f"this network is conditional; choose --class 0 to {G.c_dim - 1}")
    if not 0 <= class_index < G.c_dim:
        raise SettingsError(
            f"class {class_index} is unknown to this network; choose --class 0 to {G.c_dim - 1}"
        )
    c = torch.zeros([num, G.c_dim], device=device_of(G))
    c[:, class_index] = 1
    return c


@torch.inference_mode()
def w_from_z(G: Generator, z: NDArray[np.float64], class_index: int | None = None) -> Tensor:
    """Map z `[N, z_dim]` to w `[N, w_dim]`, without truncation."""
    c = class_vectors(G, len(z), class_index)
    latent = torch.from_numpy(z).to(device_of(G), torch.float32)
    return G.mapping(latent, c, skip_w_avg_update=True)[:, 0]


@torch.inference_mode()
def ws_from_w(
    G: Generator, w: Tensor, truncation_psi: float = 1.0, truncation_cutoff: int | None = None
) -> Tensor:
    """Truncate w `[N, w_dim]` and hand it to every layer, `[N, num_ws, w_dim]`.

    `w_avg + psi * (w - w_avg)` for the first `truncation_cutoff` layers, w for the rest; None means all.
    """
    ws = w[:, None].repeat(1, G.num_ws, 1)
    if truncation_psi != 1:
        ws[:, :truncation_cutoff] = w_avg(G).lerp(ws[:, :truncation_cutoff], truncation_psi)
    return ws


def ws_from_z(
    G: Generator,
    z: NDArray[np.float64],
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    class_index: int | None = None,
) -> Tensor:
    """Map and truncate z `[N, z_dim]` to ws `[N, num_ws, w_dim]`."""
    return ws_from_w(G, w_from_z(G, z, class_index), truncation_psi, truncation_cutoff)


def plane(corners: Tensor, columns: int, rows: int, extent: float = 0.0) -> Tensor:
    """Sample the plane through three latents, `a + x (b - a) + y (c - a)`.

    Args:
        corners: a, b, c, `[3, dim]`: top left, top right and bottom left of the sheet.
        columns: samples along x.
        rows: samples along y.
        extent: x and y run from -extent to 1 + extent.

    Returns:
        `[rows * columns, dim]`, row by row.
    """
    a, b, c = corners
    x = torch.linspace(-extent, 1 + extent, columns, dtype=corners.dtype, device=corners.device)
    y = torch.linspace(-extent, 1 + extent, rows, dtype=corners.dtype, device=corners.device)
    across = x[None, :, None] * (b - a)  # [1, columns, dim]
    down = y[:, None, None] * (c - a)  # [rows, 1, dim]
    return (a + across + down).reshape(rows * columns, -1)


def w_avg(G: Generator) -> Tensor:
    """The mean of w `[w_dim]`, zero where a network keeps none."""
    average: Tensor | None = getattr(G.mapping, "w_avg", None)
    return torch.zeros([G.w_dim], device=device_of(G)) if average is None else average.float()


def device_of(G: Generator) -> torch.device:
    """Where the generator's weights are."""
    return next(G.parameters()).device
