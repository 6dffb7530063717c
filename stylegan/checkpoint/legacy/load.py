"""From a checkpoint of another program to our own networks: which format it is, and who reads it.

The format is told by content, never by name. Reading happens in this process and needs no child with limits: all that
a file can ask for is metered before it is given (`bounds`).
"""

import contextlib
import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from stylegan.checkpoint.legacy.assemble import Build, assemble, outline
from stylegan.checkpoint.legacy.bounds import Meter, RefusedError
from stylegan.checkpoint.legacy.machine import read_pickle
from stylegan.checkpoint.legacy.official import is_official, read_official
from stylegan.checkpoint.legacy.rosinality import is_rosinality, read_rosinality
from stylegan.checkpoint.legacy.source import Cursor, FileSource
from stylegan.checkpoint.legacy.strangers import describe_stranger
from stylegan.checkpoint.legacy.tables import OFFICIAL_GLOBALS, TORCH_FILE_GLOBALS
from stylegan.checkpoint.legacy.tensorflow import is_tensorflow, read_tensorflow
from stylegan.checkpoint.legacy.torch_file import ZIP_MAGIC, is_torch_file, read_torch_file
from stylegan.checkpoint.native import Network, NetworkMeta
from stylegan.discriminator import Discriminator
from stylegan.errors import CheckpointError
from stylegan.generator import Generator

__all__ = ["is_legacy", "load_legacy"]

_Found: TypeAlias = tuple[dict[str, Generator | Discriminator], float]

_FORMATS: dict[str, tuple[Callable[[object], bool], Callable[[Any, Build], _Found]]] = {
    "official": (is_official, read_official),
    "rosinality": (is_rosinality, read_rosinality),
    "tensorflow": (is_tensorflow, read_tensorflow),
}
_PICKLES = tuple(bytes([0x80, version]) for version in range(2, 6))
_HEAD_BYTES = 16
# Halves become floats, and networks may share a tensor; but a few bytes do not become gigabytes.
_EXPANSION, _FREE_BYTES = 8, 64 << 20


def is_legacy(path: Path) -> bool:
    """Whether a file begins like one that `load_legacy` reads: a pickle, or a zip archive."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    # A safetensors file begins with the length of its header, any eight bytes, and then that header.
    return head.startswith((*_PICKLES, ZIP_MAGIC)) and head[8:9] != b"{"


def load_legacy(path: Path, *, max_bytes: int = 4 << 30, with_weights: bool = True) -> Network:
    """Read a checkpoint of another program.

    Args:
        path: the file.
        max_bytes: most memory that its weights may take.
        with_weights: read the weights; False leaves the networks on the meta device, names and shapes compared.

    Returns:
        Its networks in evaluation mode, float32 on the CPU.

    Raises:
        CheckpointError: not a StyleGAN2 network, damaged, or asking for what no network needs; the message says what.
    """
    try:
        with path.open("rb", buffering=0) as file, _without_collection():
            meter = Meter(
                weight_bytes=min(max_bytes, _FREE_BYTES + _EXPANSION * os.fstat(file.fileno()).st_size)
            )
            return _read(path, FileSource(file, meter), assemble if with_weights else outline)
    except RefusedError as error:
        raise CheckpointError(f"{path.name}: {error}") from None
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}); check its name and rights"
        ) from None


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Turn off cyclic garbage collection: a pickle's many records would trigger one over all of torch, 0.1 s."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(path: Path, source: FileSource, build: Build) -> Network:
    if is_torch_file(source):
        kind = "PyTorch file"
        root = read_torch_file(source, TORCH_FILE_GLOBALS)
    else:
        kind = "pickle"
        cursor = Cursor(source.whole())
        root = read_pickle(cursor, OFFICIAL_GLOBALS)
        if cursor.left:
            raise RefusedError(f"has {cursor.left} bytes after the end of its pickle; refused")
    for name, (recognises, read) in _FORMATS.items():
        if recognises(root):
            networks, augment_p = read(root, build)
            meta = NetworkMeta(augment_p=augment_p)
            return Network(**networks, meta=meta, path=path, format=name)  # type: ignore[arg-type]
    what = describe_stranger(root) or f"a {kind} without a StyleGAN2 network known here"
    raise RefusedError(f"{what}; pass an official or rosinality StyleGAN2 network")
