"""Draws pictures of latents, in batches that fit memory.

`images` draws seeds and `frames` any stream of ws, both lazily, as uint8 `[H, W, 3]`; `draw` draws one batch. A picture
does not depend on the others of its batch: constant noise is the network's own, and random noise is drawn from a
generator seeded for that picture. Plays (`bend.play`) change the network meanwhile; `bend.renders` and `bend.film`
write the pictures.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from bend.bends.opening import bend_mapping, open_bends_of
from bend.blend import open_blends
from bend.config import NOISE_MODES, RenderConfig
from bend.dial.weight_plays import open_weight_plays, set_weights
from bend.directions import open_directions
from bend.errors import SettingsError
from bend.latents import class_vectors, device_of, ws_from_z, z_from_seeds
from bend.number import fault_of
from bend.picture import Pixels
from bend.play import Moment, Play, playing
from bend.sizes import open_size
from bend.truncation import open_truncation
from stylegan.checkpoint import Network, load_network
from stylegan.device import choose_device, free_bytes
from stylegan.generator import Generator
from stylegan.inference.choice import choose_precision
from stylegan.precision import set_precision

__all__ = [
    "check_channels",
    "chunks",
    "draw",
    "fitting_batch",
    "frames",
    "generator_of",
    "images",
    "open_generator",
    "open_plays",
    "pixels_of",
]

Item = TypeVar("Item")

_TENSORS_ALIVE = 6  # feature maps of the widest layer that one picture keeps at once, measured
_CPU_BYTES = 2**30  # a batch larger than this does not speed a CPU up
_LARGEST_BATCH = {"cpu": 16, "cuda": 64, "mps": 16}


def images(
    net: Network | Generator | str | Path,
    seeds: Iterable[int],
    *,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    noise_mode: str = "const",
    class_index: int | None = None,
    batch: int | None = None,
    device: str | torch.device | None = None,
    plays: Sequence[Play] = (),
) -> Iterator[Pixels]:
    """Draw a picture for each seed.

    Args:
        net: a network from `load_network` (its G_ema, else its G), a generator, or what `load_network` takes.
        seeds: each 0 to 2³² - 1; may be endless.
        truncation_psi: 1 leaves w as it is, 0 gives the average picture.
        truncation_cutoff: number of leading layers that are truncated, None for all.
        noise_mode: `const`, `random` (seeded by the seed) or `none`.
        class_index: class of a conditional network.
        batch: pictures at once, None for what fits memory.
        device: where to draw, None for where the network is.
        plays: changes to the network while it draws.

    Returns:
        Lazily, uint8 `[H, W, 3]`, in the order of the seeds.

    Raises:
        SettingsError: a setting makes no sense, or does not suit this network.
    """
    G = generator_of(net, device=device)
    if fault := fault_of(truncation_psi):
        raise SettingsError(f"truncation_psi {truncation_psi} {fault}; 1 leaves w as it is")
    class_vectors(G, 0, class_index)  # refused now rather than at the first picture
    batch = batch or fitting_batch(G)
    for_latents, for_noise = itertools.tee(seeds)
    ws = (
        one
        for chunk in chunks(for_latents, batch)
        for one in ws_from_z(G, z_from_seeds(chunk, G.z_dim), truncation_psi, truncation_cutoff, class_index)
    )
    return frames(G, ws, noise_mode=noise_mode, noise_seeds=for_noise, batch=batch, plays=plays)


def frames(
    net: Network | Generator | str | Path,
    ws: Iterable[Tensor],
    *,
    noise_mode: str = "const",
    noise_seeds: Iterable[int] | None = None,
    batch: int | None = None,
    device: str | torch.device | None = None,
    plays: Sequence[Play] = (),
    fps: float | None = None,
) -> Iterator[Pixels]:
    """Draw a picture for each ws of a stream.

    Args:
        net: a network from `load_network`, or a generator.
        ws: tensors `[num_ws, w_dim]`; may be endless.
        noise_mode: `const`, `random` or `none`.
        noise_seeds: of random noise, one a picture; None for 0, 1, 2, …
        batch: pictures at once, None for what fits memory.
        device: where to draw, None for where the network is.
        plays: changes to the network while it draws.
        fps: frames a second, of a film; None for stills, which are all at 0 seconds.

    Returns:
        Lazily, uint8 `[H, W, 3]`, in the order of `ws`.
    """
    G = generator_of(net, device=device)
    if noise_mode not in NOISE_MODES:
        raise SettingsError(f"noise_mode {noise_mode!r} is unknown; choose from {', '.join(NOISE_MODES)}")
    seeds = itertools.count() if noise_seeds is None else noise_seeds
    moments = (
        Moment(seconds=index / fps, index=index, seed=seed) if fps else Moment(seed=seed)
        for index, seed in enumerate(seeds)
    )
    return _frames(G, ws, moments, noise_mode, batch or fitting_batch(G), plays)


def _frames(
    G: Generator,
    ws: Iterable[Tensor],
    moments: Iterator[Moment],
    noise_mode: str,
    batch: int,
    plays: Sequence[Play],
) -> Iterator[Pixels]:
    for chunk in chunks(ws, batch):
        now = list(itertools.islice(moments, len(chunk)))
        yield from draw(G, torch.stack(chunk), noise_mode=noise_mode, plays=plays, moments=now)


def draw(
    G: Generator,
    ws: Tensor,
    *,
    noise_mode: str = "const",
    noise_seeds: Sequence[int] | None = None,
    plays: Sequence[Play] = (),
    moments: Sequence[Moment] | None = None,
) -> Pixels:
    """Draw one batch.

    Args:
        G: the generator.
        ws: `[N, num_ws, w_dim]`.
        noise_mode: `const`, `random` or `none`.
        noise_seeds: `[N]`, of random noise; None for the seeds of `moments`.
        plays: changes to the network while it draws; if one varies, pictures are drawn one by one.
        moments: `[N]`, when each picture is drawn; None for stills.

    Returns:
        uint8 `[N, H, W, 3]`; a grey network's channel is repeated. Values that are not numbers become black.

    Raises:
        SettingsError: the network draws neither grey nor colour.
    """
    check_channels(G)
    if moments is None:
        moments = [Moment(seed=seed) for seed in noise_seeds or [0] * len(ws)]
    seeds = [moment.seed for moment in moments] if noise_seeds is None else noise_seeds
    assert len(seeds) == len(moments) == len(ws)
    at_once = 1 if any(play.varies for play in plays) else len(ws)
    parts = []
    for start in range(0, len(ws), at_once):
        part = slice(start, start + at_once)
        with playing(G, plays, moments[start]):
            parts.append(_draw(G, ws[part], noise_mode, seeds[part]))
    return np.concatenate(parts)


def check_channels(G: Generator) -> None:
    """Refuse a network whose pictures are neither grey nor in colour.

    Raises:
        SettingsError: it is such a one.
    """
    if G.img_channels not in (1, 3):
        raise SettingsError(f"this network draws {G.img_channels} channels; only 1 and 3 make a picture")


@torch.inference_mode()
def _draw(G: Generator, ws: Tensor, noise_mode: str, noise_seeds: Sequence[int]) -> Pixels:
    """Draw pictures `[N, H, W, 3]` without plays."""
    ws = ws.to(device_of(G))
    if noise_mode == "random":
        image = torch.cat([_draw_noisy(G, ws[i : i + 1], seed) for i, seed in enumerate(noise_seeds)])
    else:
        image = G.synthesis(ws, noise_mode=noise_mode)
    return pixels_of(image)


def _draw_noisy(G: Generator, ws: Tensor, seed: int) -> Tensor:
    # One at a time, since noise drawn for a batch would depend on the other pictures in it.
    generator = torch.Generator(ws.device).manual_seed(seed)
    image: Tensor = G.synthesis(ws, noise_mode="random", generator=generator)
    return image


def pixels_of(images: Tensor) -> Pixels:
    """Images `[N, C, H, W]` in [-1, 1], C being 1 or 3, as uint8 `[N, H, W, 3]`; what is not a number is black."""
    images = torch.nan_to_num(images, nan=-1.0, posinf=1.0, neginf=-1.0)
    images = (images * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    pixels: Pixels = images.permute(0, 2, 3, 1).expand(-1, -1, -1, 3).contiguous().cpu().numpy()
    return pixels


def open_generator(config: RenderConfig) -> Generator:
    """Load the generator that `config` asks for, on its device.

    Raises:
        ConfigError: the device is not available.
        StyleganError: no such network, or one that cannot be read.
    """
    device = choose_device(config.device)
    G = generator_of(load_network(config.network), config.weights, device)
    precision = choose_precision(device.type) if config.precision == "auto" else config.precision
    if precision is not None:
        set_precision(G, precision)
    set_weights(config, G)
    bend_mapping(config, G)
    return G


def open_plays(config: RenderConfig, G: Generator) -> tuple[Play, ...]:
    """The plays of everything in `config` that changes `G` while it draws, the first one outermost.

    Raises:
        SettingsError: a setting does not suit `G`.
    """
    return (
        *open_weight_plays(config, G),
        *open_size(config, G, in_tiles=not config.bend),
        *open_blends(config, G),
        *open_truncation(config),
        *open_directions(config, G),
        *open_bends_of(config, G),
    )


def generator_of(
    net: Network | Generator | str | Path, weights: str = "ema", device: str | torch.device | None = None
) -> Generator:
    """The generator of a network, or the generator itself, moved to `device` unless that is None."""
    if isinstance(net, str | Path):
        net = load_network(net)
    G = net.generator(weights) if isinstance(net, Network) else net
    return G if device is None else G.to(choose_device(str(device)))


def fitting_batch(G: Generator) -> int:
    """How many pictures to draw at once: a power of two whose feature maps fit free memory."""
    device = device_of(G)
    widest = max(block.conv1.weight.shape[0] * block.resolution**2 for block in G.synthesis.blocks())
    room = _spare_bytes(device) / (4 * widest * _TENSORS_ALIVE)
    largest = min(max(room, 1), _LARGEST_BATCH.get(device.type, 1))
    return int(2 ** math.floor(math.log2(largest)))


def _spare_bytes(device: torch.device) -> float:
    """How many bytes a batch may take, with some left for other programs."""
    if device.type == "cpu":
        return min(free_bytes(device) / 4, _CPU_BYTES)
    return free_bytes(device) / 2


def chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Consecutive lists of `size` items; the last one may be shorter."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
