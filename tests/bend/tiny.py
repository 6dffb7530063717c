"""Tiny random generators, built in milliseconds, for tests that need pictures and not beauty."""

from pathlib import Path

import torch

from stylegan.checkpoint import save_network
from stylegan.generator import Generator

__all__ = ["save_tiny", "tiny_generator"]


def tiny_generator(
    *, seed: int = 0, resolution: int = 16, c_dim: int = 0, img_channels: int = 3, noise_strength: float = 0.1
) -> Generator:
    """A random generator with a sensible `w_avg` and audible noise."""
    torch.manual_seed(seed)
    G = Generator(
        32,
        c_dim,
        32,
        resolution,
        img_channels,
        mapping_kwargs={"num_layers": 2},
        synthesis_kwargs={"channel_base": 256, "channel_max": 16},
    )
    with torch.no_grad():
        c = torch.eye(c_dim)[torch.arange(500) % c_dim] if c_dim else None
        G.mapping.w_avg.copy_(G.mapping(torch.randn(500, 32), c, skip_w_avg_update=True)[:, 0].mean(dim=0))
        for name, parameter in G.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(noise_strength)
    return G.eval().requires_grad_(False)


def save_tiny(path: Path, **settings: int) -> Path:
    """Save one as the averaged generator of a network file."""
    save_network(path, G_ema=tiny_generator(**settings))
    return path
