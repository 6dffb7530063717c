"""What lies where in a tar of WebDataset samples, found by reading its headers alone and kept for the next time.

A tar has no directory: its headers stand between the members, so the first look has to go through the whole file. The
index that results is kept in the cache folder and is valid until the file's size or time changes. A sample is a run of
members whose names agree up to the first dot of their last part: a picture and, where there are labels, `.cls` (a whole
number) or `.json` (a number, a list, or an object with `label`). POSIX.1-2001 (ustar and pax) and GNU headers are read;
a tar packed by gzip is unpacked for it (`random_file`).
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
import zipfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stylegan.archive.faults import FaultError
from stylegan.archive.labels import LabelColumn, Labels
from stylegan.archive.members import NameTable
from stylegan.archive.shard import IMAGE_ENDING
from stylegan.archive.tar_headers import ReadAhead, ReadAt, TarMember, walk
from stylegan.atomic import atomic_path
from stylegan.cache import cache_folder

__all__ = ["TarIndex", "load_index", "read_index"]

_VERSION = 1
_MOST_LABEL_BYTES = 2**20
_LABEL_ENDINGS = (b"cls", b"json")
_IMAGE = re.compile(rb"(?:.*\.)?(?:" + IMAGE_ENDING + rb")", re.DOTALL)
_FEW = 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TarIndex:
    """The pictures of a tar, in its order."""

    names: NameTable
    offsets: npt.NDArray[np.int64]
    """Where each one's bytes begin."""
    sizes: npt.NDArray[np.uint32]
    labels: Labels | None


def load_index(path: Path, read_at: ReadAt) -> TarIndex:
    """The index of the tar at `path`, from the cache if it is still valid there.

    Args:
        path: the tar, packed or not.
        read_at: reads its bytes, unpacked.

    Raises:
        FaultError: it is damaged, or its samples cannot be trained on.
    """
    status = path.stat()
    key = f"{_VERSION} {status.st_size} {status.st_mtime_ns}"
    kept = cache_folder() / "shards" / f"{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return _unpack(kept, key)
    index = read_index(read_at)
    with contextlib.suppress(OSError):  # it is only for speed
        _keep(kept, key, index)
    return index


def read_index(read_at: ReadAt) -> TarIndex:
    """The index of a tar, read from its headers.

    Raises:
        FaultError: as `load_index`.
    """
    blob = bytearray()
    ends, offsets, sizes = array("q"), array("q"), array("q")
    labels = LabelColumn(_FEW)
    for picture, label in _samples(ReadAhead(read_at).read):
        place = len(ends)
        blob += picture.name
        ends.append(len(blob))
        offsets.append(picture.offset)
        sizes.append(min(picture.num_bytes, 2**32 - 1))
        if label is not None:
            labels.reserve(place + 1)
            labels.put(place, label)
    if not ends:
        raise FaultError("empty", "holds no pictures")
    table = NameTable(bytes(blob), np.array(ends, np.int64))
    return TarIndex(
        names=table,
        offsets=np.array(offsets, np.int64),
        sizes=np.array(sizes, np.uint32),
        labels=_finish(labels, table),
    )


def _samples(read_at: ReadAt) -> Iterator[tuple[TarMember, Any]]:
    """Pictures, and their labels or None."""
    sample = _Sample()
    for member in walk(read_at):
        folder, _, base = member.name.rpartition(b"/")
        stem, _, ending = base.partition(b".")
        ending = ending.lower()
        if not stem or folder.startswith(b"__MACOSX"):
            continue
        if (folder, stem) != sample.key:
            if sample.picture is not None:
                yield sample.picture, sample.label
            sample = _Sample(key=(folder, stem))
        if _IMAGE.fullmatch(ending):
            sample.add_picture(member, is_plain=b"." not in ending)
        elif ending in _LABEL_ENDINGS:
            sample.add_label(member, ending, read_at)
    if sample.picture is not None:
        yield sample.picture, sample.label


@dataclasses.dataclass(slots=True)
class _Sample:
    """Members of one name up to its first dot."""

    key: tuple[bytes, bytes] | None = None
    picture: TarMember | None = None
    label: Any = None
    is_plain: bool = False
    """Whether the picture's ending is its format alone, not `seg.png`, say."""
    has_class: bool = False

    def add_picture(self, member: TarMember, *, is_plain: bool) -> None:
        if self.picture is None or (is_plain and not self.is_plain):
            self.picture, self.is_plain = member, is_plain
        elif is_plain == self.is_plain:
            raise FaultError(
                "two-pictures",
                f"a second picture in the sample of {_text(self.picture)}; keep one",
                _text(member),
            )

    def add_label(self, member: TarMember, ending: bytes, read_at: ReadAt) -> None:
        if member.num_bytes > _MOST_LABEL_BYTES:
            raise FaultError("labels", "over a megabyte, too long for a label", _text(member))
        data = read_at(member.num_bytes, member.offset)
        if ending == b"cls":
            self.label, self.has_class = _class_in(data, member), True
        elif not self.has_class:
            self.label = _label_in(data, member)


def _class_in(data: bytes, member: TarMember) -> int:
    try:
        return int(data)
    except ValueError:
        raise FaultError("labels", "not a whole number, as a .cls must be", _text(member)) from None


def _label_in(data: bytes, member: TarMember) -> Any:
    """The label in a sample's JSON; None where there is none."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FaultError("metadata", f"not valid JSON ({error})", _text(member)) from None
    if not isinstance(content, dict):
        return content
    if isinstance(content.get("labels"), list):
        raise FaultError(
            "metadata",
            "labels of a tar stand beside its pictures, in KEY.cls; make them so, or a zip",
            _text(member),
        )
    return content.get("label")


def _text(member: TarMember) -> str:
    return member.name.decode(errors="backslashreplace")


def _finish(labels: LabelColumn, names: NameTable) -> Labels | None:
    if not labels.has_label.any():
        return None
    labels.reserve(len(names))
    labels.refuse_missing(len(names), names.text)
    return labels.finish()[: len(names)].copy()


def _keep(path: Path, key: str, index: TarIndex) -> None:
    arrays = {"key": np.array(key), "offsets": index.offsets, "sizes": index.sizes, "ends": index.names.ends}
    arrays["names"] = np.frombuffer(index.names.blob, np.uint8)
    if index.labels is not None:
        arrays["labels"] = index.labels
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _unpack(path: Path, key: str) -> TarIndex:
    """The index kept at `path`.

    Raises:
        OSError, ValueError, KeyError, EOFError, BadZipFile: there is no valid one.
    """
    with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
        if str(kept["key"]) != key:
            raise ValueError("of another state of the file")
        names = NameTable(kept["names"].tobytes(), kept["ends"].astype(np.int64))
        index = TarIndex(
            names=names,
            offsets=kept["offsets"],
            sizes=kept["sizes"],
            labels=kept.get("labels"),
        )
    if not len(index.names) == len(index.offsets) == len(index.sizes):
        raise ValueError("cut short")
    return index
