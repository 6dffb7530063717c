"""Export as our own `.safetensors`: everything that was read, bit by bit."""

from pathlib import Path

from stylegan.checkpoint.native import Network, save_network

__all__ = ["save_native"]


def save_native(path: Path, network: Network, *, replace: bool = True) -> list[str]:
    """Write a network as our own file, see `save_network`; there is nothing that it cannot carry."""
    save_network(path, G=network.G, D=network.D, G_ema=network.G_ema, meta=network.meta, replace=replace)
    return []
