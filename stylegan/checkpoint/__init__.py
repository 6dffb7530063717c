"""Network files: reading, writing, and finding them by name, path or run folder."""

from stylegan.checkpoint.load import find_network, list_snapshots, load_network
from stylegan.checkpoint.native import Network, NetworkMeta, read_meta, save_network, snapshot_name

__all__ = [
    "Network",
    "NetworkMeta",
    "find_network",
    "list_snapshots",
    "load_network",
    "read_meta",
    "save_network",
    "snapshot_name",
]
