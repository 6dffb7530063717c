"""A network's fingerprint: SHA-256 over its weights, the same whatever file format they come from.

The hash of a file would change with its format and its metadata; what a delta needs, and what tells two checkpoints
apart, are the numbers.
"""

import hashlib

import torch
from torch import nn

from stylegan.checkpoint.native import Network

__all__ = ["fingerprint", "fingerprints"]


def fingerprint(module: nn.Module) -> str:
    """SHA-256, hexadecimal, over names, shapes and float32 values (little-endian) of a module's state dict."""
    digest = hashlib.sha256()
    for key, value in sorted(module.state_dict().items()):
        tensor = value.detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{key} {list(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().astype("<f4", copy=False).data if tensor.numel() else b"")
    return digest.hexdigest()


def fingerprints(network: Network) -> dict[str, str]:
    """`fingerprint` of each network that a file holds: `G`, `D`, `G_ema`."""
    return {name: fingerprint(part) for name, part in network.parts().items()}
