"""Network files for the tests: a small genuine one, and files made by hand that no writer of ours would write."""

import json
from pathlib import Path
from typing import Any, TypeVar

import torch

from stylegan import Discriminator, Generator

__all__ = ["craft", "read_parts", "tiny_discriminator", "tiny_generator", "write_parts"]

Header = dict[str, Any]
_Network = TypeVar("_Network", Generator, Discriminator)


def tiny_generator(seed: int = 0, **synthesis: Any) -> Generator:
    """A 16×16 generator without a weight at zero."""
    torch.manual_seed(seed)
    settings = {"channel_base": 64, "channel_max": 4, **synthesis}
    G = Generator(4, 0, 4, 16, 3, mapping_kwargs={"num_layers": 2}, synthesis_kwargs=settings)
    return _randomized(G)


def tiny_discriminator(seed: int = 1) -> Discriminator:
    """A 16×16 discriminator without a weight at zero."""
    torch.manual_seed(seed)
    return _randomized(Discriminator(0, 16, 3, channel_base=64, channel_max=4))


def read_parts(path: Path) -> tuple[Header, bytes]:
    """The header of a safetensors file, parsed, and the bytes after it."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def write_parts(path: Path, header: Header | bytes, body: bytes) -> Path:
    """Put a file together from a header, genuine or not, and the bytes after it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def craft(source: Path, target: Path, **changes: Any) -> Path:
    """Copy a network file with fields of its metadata changed; None removes one. Values other than text become JSON."""
    header, body = read_parts(source)
    metadata = header["__metadata__"]
    for key, value in changes.items():
        if value is None:
            del metadata[key]
        else:
            metadata[key] = value if isinstance(value, str) else json.dumps(value)
    return write_parts(target, header, body)


def _randomized(network: _Network) -> _Network:
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if not key.endswith("resample_filter"):
                value.copy_(torch.randn_like(value))
    return network.eval().requires_grad_(False)
