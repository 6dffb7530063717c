"""Latents in `.npz` files: what `bend project` writes and every render reads instead of seeds.

A file holds one of three arrays: `w` `[K, w_dim]`, `ws` `[K, num_ws, w_dim]` (w+, a w for every layer) or `z`
`[K, z_dim]`; a single latent may leave K out, and `w` may also be `[K, num_ws, w_dim]`, as other projectors write it.
`times` `[K]` are the moments, rising and in any unit, at which a path passes the latents. Pickles are never read.
"""

import lzma
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bend.errors import SettingsError
from bend.picture_kind import picture_kind
from stylegan.atomic import atomic_path
from stylegan.lookalikes import HEAD_BYTES, identify

__all__ = ["LatentFile", "read_arrays", "read_latents", "write_latents"]

Floats: TypeAlias = NDArray[np.float64]

_KINDS = ("ws", "w", "z")
_READ_FAULTS = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    RuntimeError,  # encrypted, or packed by a method that is unknown
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
_MOST_BYTES = 256 << 20  # a hundred thousand w, or some thousands of w+
_EXAMPLE = "a file of `bend project`, or numpy.savez(FILE, w=…) with w [K, w_dim] or ws [K, num_ws, w_dim]"


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentFile:
    """What a file of latents holds.

    Attributes:
        kind: `w`, `ws` or `z`.
        rows: `[K, dim]` for w and z, `[K, num_ws, dim]` for ws.
        times: `[K]`, rising; None if the file has none.
    """

    kind: str
    rows: Floats
    times: Floats | None = None

    def __len__(self) -> int:
        return len(self.rows)


def read_latents(path: str | Path) -> LatentFile:
    """Read a file of latents.

    Raises:
        SettingsError: no such file, no `.npz`, or no latents of the right shape in it.
    """
    arrays = read_arrays(path)
    name = next((name for name in _KINDS if name in arrays), None)
    if name is None:
        raise SettingsError(f"{path}: holds {_listed(arrays)}, but none of w, ws, z; give {_EXAMPLE}")
    rows = _floats(path, name, arrays[name])
    kind = "ws" if name == "w" and rows.ndim == 3 else name
    wanted = 3 if kind == "ws" else 2
    if rows.ndim == wanted - 1:
        rows = rows[None]
    if rows.ndim != wanted or 0 in rows.shape:
        raise SettingsError(f"{path}: {name} has shape {list(arrays[name].shape)}; give {_EXAMPLE}")
    times = None if "times" not in arrays else _times(path, arrays["times"], len(rows))
    return LatentFile(kind=kind, rows=rows, times=times)


def write_latents(path: Path, *, replace: bool = True, **arrays: NDArray[Any]) -> None:
    """Write arrays to an `.npz`, whole or not at all; the same arrays give the same bytes.

    Args:
        path: the file.
        replace: whether a file that is there is replaced.
        arrays: by name.

    Raises:
        FileExistsError: there is one, and it is not to be replaced.
        OSError: the folder cannot be written or the disk is full.
    """
    with atomic_path(path, replace=replace) as temporary, zipfile.ZipFile(temporary, "w") as file:
        for name, array in arrays.items():
            # numpy.savez would write the current time into the zip.
            with file.open(zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0)), "w") as member:
                np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)


def read_arrays(path: str | Path) -> dict[str, NDArray[Any]]:
    """All arrays of an `.npz` by name.

    Raises:
        SettingsError: no such file, or it cannot be read.
    """
    _refuse_other_kinds(path)
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded:
                assert loaded.zip is not None
                if sum(member.file_size for member in loaded.zip.infolist()) > _MOST_BYTES:
                    raise ValueError(f"more than {_MOST_BYTES >> 20} MB of arrays")
                return {name: loaded[name] for name in loaded.files}
    except _READ_FAULTS as error:
        raise SettingsError(f"{path}: cannot be read ({error}); give {_EXAMPLE}") from None
    raise SettingsError(f"{path}: a single array, not an .npz; give {_EXAMPLE}")


def _refuse_other_kinds(path: str | Path) -> None:
    """Refuse a file whose first bytes show that numpy did not write it."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise SettingsError(f"{path}: {reason}; give {_EXAMPLE}") from None
    if not head.startswith((b"PK", b"\x93NUMPY")):
        kind = picture_kind(path)
        what = identify(head).what if kind is None else f"a {kind} picture"
        raise SettingsError(f"{path}: {what}, not latents; give {_EXAMPLE}")


def _floats(path: str | Path, name: str, array: NDArray[Any]) -> Floats:
    if array.dtype.kind not in "fiu":
        raise SettingsError(f"{path}: {name} holds {array.dtype}, not numbers; give {_EXAMPLE}")
    if not np.isfinite(array).all():
        raise SettingsError(f"{path}: {name} holds values that are not finite; give {_EXAMPLE}")
    return array.astype(np.float64)


def _times(path: str | Path, array: NDArray[Any], num_rows: int) -> Floats:
    times = _floats(path, "times", array)
    if times.shape != (num_rows,):
        raise SettingsError(
            f"{path}: times has shape {list(times.shape)}, but there are {num_rows} latents; give one each"
        )
    if (np.diff(times) <= 0).any():
        raise SettingsError(f"{path}: times must rise from latent to latent; sort them")
    return times


def _listed(arrays: dict[str, NDArray[Any]]) -> str:
    return ", ".join(arrays) or "nothing"
