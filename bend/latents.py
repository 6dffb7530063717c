"""From seeds to z, from z to w, from w to ws, with truncation.

A seed means the same latent everywhere: `numpy.random.RandomState(seed).randn(1, z_dim)`. If files of latents are given
(`RenderConfig.latents`), a seed is the number of a row of theirs instead. Truncation pulls w towards the running mean
`w_avg` (Karras et al., arXiv 1812.04948, appendix B). Paths through these spaces are in `bend.walks`, shifts along
directions in `bend.directions`.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bend.config import RenderConfig
from bend.errors import SettingsError
from bend.latent_file import LatentFile, read_latents
from stylegan.generator import Generator

__all__ = [
    "class_vectors",
    "device_of",
    "on_plane",
    "plane",
    "stored_ws",
    "truncate",
    "usual_seeds",
    "w_avg",
    "w_from_z",
    "ws_from_seeds",
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
            raise SettingsError("this network has no classes; leave --class out")
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
    return truncate(G, w[:, None].repeat(1, G.num_ws, 1), truncation_psi, truncation_cutoff)


def truncate(G: Generator, ws: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
    """`w_avg + psi * (ws - w_avg)` for the first `cutoff` layers of ws `[N, num_ws, w_dim]`; None means all."""
    if psi == 1:
        return ws
    return torch.cat(
        [w_avg(G).lerp(ws[:, :cutoff], psi), ws[:, ws.shape[1] if cutoff is None else cutoff :]], 1
    )


def usual_seeds(config: RenderConfig, num: int, grid: tuple[int, int] | None = None) -> Sequence[int]:
    """The default seeds: those that fill a grid of so many columns and rows, if there is one.

    Otherwise 0 to `num` - 1, or every row of the files of latents.

    Raises:
        SettingsError: a file of latents cannot be read.
    """
    if grid is not None:
        return range(grid[0] * grid[1])
    return range(sum(len(read_latents(path)) for path in config.latents) if config.latents else num)


def ws_from_seeds(
    G: Generator, config: RenderConfig, seeds: Sequence[int], *, option: str = "--seeds"
) -> Tensor:
    """The ws `[N, num_ws, w_dim]` that `config` draws for the seeds, truncated; `option` is where they were named.

    Raises:
        SettingsError: a class or a latent that this network does not have.
    """
    if not config.latents:
        z = z_from_seeds(seeds, G.z_dim)
        return ws_from_z(G, z, config.fixed_trunc, config.trunc_cutoff, config.class_index)
    rows = torch.cat([stored_ws(G, read_latents(path), path, config.class_index) for path in config.latents])
    beyond = next((seed for seed in seeds if seed >= len(rows)), None)
    if beyond is not None:
        raise SettingsError(
            f"{option} {beyond}: --latents holds {len(rows)} latents; choose 0 to {len(rows) - 1}"
        )
    return truncate(G, rows[list(seeds)], config.fixed_trunc, config.trunc_cutoff)


def stored_ws(G: Generator, stored: LatentFile, name: str, class_index: int | None = None) -> Tensor:
    """The ws `[K, num_ws, w_dim]` of a file of latents.

    Raises:
        SettingsError: its latents do not fit this network.
    """
    wanted = {"z": (G.z_dim,), "w": (G.w_dim,), "ws": (G.num_ws, G.w_dim)}[stored.kind]
    if stored.rows.shape[1:] != wanted:
        raise SettingsError(
            f"{name}: {stored.kind} of {list(stored.rows.shape[1:])}, but this network wants {list(wanted)}; "
            "project the picture with this network"
        )
    if stored.kind == "z":
        return ws_from_z(G, stored.rows, class_index=class_index)
    rows = torch.from_numpy(stored.rows).to(device_of(G), torch.float32)
    return rows if stored.kind == "ws" else ws_from_w(G, rows)


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
    x = torch.linspace(-extent, 1 + extent, columns, dtype=corners.dtype, device=corners.device)
    y = torch.linspace(-extent, 1 + extent, rows, dtype=corners.dtype, device=corners.device)
    return on_plane(corners, x[None, :, None], y[:, None, None]).reshape(rows * columns, -1)


def on_plane(corners: Tensor, x: Tensor | float, y: Tensor | float) -> Tensor:
    """Points of the plane through three latents, `a + x (b - a) + y (c - a)`.

    Args:
        corners: a, b, c, `[3, …]`.
        x, y: where; broadcast against a corner.
    """
    a, b, c = corners
    return a + x * (b - a) + y * (c - a)


def w_avg(G: Generator) -> Tensor:
    """The running mean of w, `[w_dim]`; zero if the network keeps none."""
    average: Tensor | None = getattr(G.mapping, "w_avg", None)
    return torch.zeros([G.w_dim], device=device_of(G)) if average is None else average.float()


def device_of(G: Generator) -> torch.device:
    """Where the generator's weights are."""
    return next(G.parameters()).device
