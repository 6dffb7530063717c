"""The safetensors file itself: opened without trust, written whole or not at all, the same bytes for the same weights.

Nothing in such a file can run code. The formats built on it, `native` and `delta`, define what its metadata mean.
"""

import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from stylegan.atomic import atomic_path
from stylegan.checkpoint.foreign import refuse_foreign
from stylegan.errors import CheckpointError

__all__ = ["open_container", "peek_format", "read_tensor", "write_container"]


def open_container(path: Path) -> Any:
    """Open a safetensors file, as `safetensors.safe_open` does; a context manager.

    Raises:
        CheckpointError: it cannot be read, or is something else.
    """
    refuse_foreign(path)
    try:
        return safe_open(path, framework="pt", device="cpu")
    except SafetensorError as error:
        raise CheckpointError(
            f"{path.name}: not a readable safetensors file ({error}); copy or download it again"
        ) from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); check its name and rights") from None


def peek_format(path: Path) -> str:
    """What the metadata call the format (`bend-network`, `bend-delta`); empty where there is nothing to be read."""
    try:
        with open_container(path) as file:
            return str((file.metadata() or {}).get("format", ""))
    except CheckpointError:
        return ""


def read_tensor(path: Path, file: Any, key: str) -> Tensor:
    """A tensor as float32, copied: the file's own pages may be changed by others, and are not aligned.

    Raises:
        CheckpointError: it has values that are not finite.
    """
    tensor: Tensor = file.get_tensor(key).to(torch.float32, copy=True)
    if not torch.isfinite(tensor).all():
        raise CheckpointError(f"{path.name}: {key} has values that are not finite; use an earlier snapshot")
    return tensor


def write_container(
    path: Path, tensors: dict[str, Tensor], metadata: dict[str, str], *, replace: bool = True
) -> None:
    """Write a safetensors file, whole or not at all.

    Args:
        path: final name.
        tensors: on the CPU.
        metadata: what else the header says.
        replace: whether to replace a file that exists by then.

    Raises:
        FileExistsError: it is there, and is not to be replaced.
        CheckpointError: the library refuses.
        OSError: the file cannot be written, or the disk is full.
    """
    with atomic_path(path, check=_check, replace=replace) as temporary:
        try:
            save_file(tensors, temporary, metadata=metadata)
            _sort_metadata(temporary)
        except SafetensorError as error:  # so is a full disk, with its number in the message only
            if number := re.search(r"os error (\d+)", str(error)):
                code = int(number[1])
                raise OSError(code, os.strerror(code), str(path)) from None
            raise CheckpointError(f"{path.name}: cannot be written ({error}); try another folder") from None


def _check(path: Path) -> None:
    """Open a file just written: its header must be whole and agree with its length."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            file.keys()
    except SafetensorError as error:
        raise OSError(errno.EIO, f"read back it is damaged ({error})", str(path)) from None


def _sort_metadata(path: Path) -> None:
    """Sort the metadata, which the library writes in random order, so that the same weights give the same bytes."""
    with path.open("rb+") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        assert len(text) <= length
        file.seek(8)
        file.write(text.ljust(length))
