"""Network files: reading, writing, and finding them by name, path or run folder."""

from stylegan.checkpoint.delta import BaseReference, DeltaBase, is_delta, load_delta, save_delta
from stylegan.checkpoint.load import find_network, list_snapshots, load_network, outline_network
from stylegan.checkpoint.native import Network, NetworkMeta, read_meta, save_network

__all__ = [
    "BaseReference",
    "DeltaBase",
    "Network",
    "NetworkMeta",
    "find_network",
    "is_delta",
    "list_snapshots",
    "load_delta",
    "load_network",
    "outline_network",
    "read_meta",
    "save_delta",
    "save_network",
]
