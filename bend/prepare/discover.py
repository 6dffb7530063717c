"""Lists the pictures and videos in folders, zips, tars and files, always in the same order.

Nothing is decoded here. Only what is plainly no picture of the user's is left out: hidden files, manifests, and the
`dataset.json` of data sets. Everything else is opened by `bend.prepare.intake` and, if it is not a picture, counted as
refused.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from bend.errors import PackageError
from bend.prepare.annotations import Annotations
from bend.prepare.origins import MANIFEST_NAME, origin_with_parent, parse_manifest, read_manifest
from bend.prepare.unpacked import parse_unpacked, read_unpacked
from bend.prepare.video import VIDEO_SUFFIXES
from scrapers.walk import walk
from stylegan.archive.container import Container
from stylegan.archive.faults import FaultError
from stylegan.archive.metadata import METADATA_NAME, Label, read_labels, read_sources
from stylegan.archive.tar_shard import TarShard, is_tar
from stylegan.printable import printable

__all__ = ["Plan", "SourcePicture", "discover"]

_ZIP_MAGIC = b"PK\x03\x04"
_JUNK = {"thumbs.db", "desktop.ini", "review.html"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePicture:
    """A picture, or a video, yet to be opened."""

    name: str
    """Its name in messages: the path below the source, with forward slashes."""
    path: Path
    """The file, or the zip or tar it lies in."""
    member: str | None = None
    """Its name in the zip or tar; None for a file of its own."""
    folder: str | None = None
    """The class folder that it lies in; None if there is none."""
    label: Label | None = None
    """The label that it had in the data set it comes from."""
    origin: dict[str, str] = field(default_factory=dict)
    """What is known of where it comes from: `ORIGIN_FIELDS`, and `parent` if it was cut before."""

    @property
    def is_video(self) -> bool:
        """Whether it is, by its name, a video."""
        return PurePosixPath(self.member or self.path.name).suffix.lower() in VIDEO_SUFFIXES


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All pictures to be opened, in order."""

    pictures: tuple[SourcePicture, ...]
    num_manifest_faults: int = 0
    """Manifest lines that could not be read."""


def discover(sources: Sequence[Path], *, are_labels_kept: bool = True) -> Plan:
    """List the pictures in `sources`: folders, zips, tars and files.

    Args:
        sources: what was named.
        are_labels_kept: whether the labels of data sets are wanted; what is wrong with them matters only then.

    Raises:
        PackageError: a source is missing, damaged, or there is nothing in any of them.
        OSError: a folder or file cannot be read.
    """
    pictures: list[SourcePicture] = []
    manifests: dict[Path, dict[str, dict[str, str]]] = {}
    num_faults = 0
    for source in sources:
        prefix = f"{_shown(Path(source.name or source.resolve().name))}/" if len(sources) > 1 else ""
        if not source.exists():
            raise PackageError(f"{source}: no such file or folder")
        if not source.is_dir() and not source.is_file():  # to open a pipe is to wait for whoever fills it
            raise PackageError(f"{source}: neither a file nor a folder; leave it out")
        if source.is_dir():
            found, faults = _from_folder(source, prefix)
            num_faults += faults
        elif is_tar(source):
            found = _from_tar(source, prefix, are_labels_kept=are_labels_kept)
        elif _is_zip(source):
            found, faults = _from_zip(source, prefix, are_labels_kept=are_labels_kept)
            num_faults += faults
        else:
            found = [_from_file(source, manifests, is_one_of_several=len(sources) > 1)]
        pictures += found
    if not pictures:
        raise PackageError(f"{', '.join(map(str, sources))}: no pictures in it")
    return Plan(pictures=tuple(pictures), num_manifest_faults=num_faults)


def _from_folder(root: Path, prefix: str) -> tuple[list[SourcePicture], int]:
    told, metadata, num_faults = Annotations(), set(), 0
    own_name = root.resolve().name
    for path in _walk(root):
        folder = path.parent.relative_to(root)
        if path.name == MANIFEST_NAME and path.exists():
            origins, faults = read_manifest(path)
            told.add_manifest(folder, origins)
            num_faults += faults
        elif path.name == METADATA_NAME and (unpacked := read_unpacked(path.parent)) is not None:
            told.add_unpacked(folder, unpacked)
            metadata.add(path)
    found = []
    for path in _walk(root):
        if path.name == MANIFEST_NAME or path.name.lower() in _JUNK or path in metadata:
            continue
        below = path.relative_to(root)
        found.append(
            SourcePicture(
                name=prefix + _shown(below),
                path=path,
                folder=below.parts[0] if len(below.parts) > 1 else own_name,
                label=told.label(below),
                origin=told.origin(below),
            )
        )
    return found, num_faults


def _from_file(
    path: Path, manifests: dict[Path, dict[str, dict[str, str]]], *, is_one_of_several: bool
) -> SourcePicture:
    """A file named by itself, with what the manifest beside it says of it.

    It is called by its own and its folder's name alone, which are the same wherever that lies.
    """
    folder = path.parent
    if folder not in manifests:
        beside = folder / MANIFEST_NAME
        manifests[folder] = read_manifest(beside)[0] if beside.is_file() else {}
    name = f"{folder.resolve().name}/{path.name}" if is_one_of_several else path.name
    return SourcePicture(name=_shown(Path(name)), path=path, origin=manifests[folder].get(path.name, {}))


def _walk(folder: Path) -> Iterator[Path]:
    """Files below `folder`, sorted by path, with broken links but without hidden files, pipes and devices."""
    return (path for path in walk(folder, _raise) if not path.exists() or path.is_file())


def _raise(error: OSError) -> None:
    raise error


def _from_zip(path: Path, prefix: str, *, are_labels_kept: bool) -> tuple[list[SourcePicture], int]:
    try:
        container = Container(path)
        names = sorted(name for name in container.members if _is_wanted(name))
        labels = None
        if names and are_labels_kept:
            rows = np.array([container.members.find(name.encode()) for name in names], np.int32)
            labels = read_labels(container, rows)
        sources = read_sources(container, names)
        told, num_faults = _told_in(container)
        container.close()
    except FaultError as error:
        raise PackageError(f"{path}: {error.fault}") from None
    found = []
    for i, name in enumerate(names):
        member = PurePosixPath(name)
        found.append(
            SourcePicture(
                name=prefix + name,
                path=path,
                member=name,
                folder=member.parts[0] if len(member.parts) > 1 else path.stem,
                label=told.label(member) if labels is None else labels[i].tolist(),
                origin=told.origin(member) or origin_with_parent(sources[i]),
            )
        )
    return found, num_faults


def _told_in(container: Container) -> tuple[Annotations, int]:
    """What manifests and data sets that were packed with their folders tell, and how many lines were unreadable.

    Raises:
        FaultError: one of them is damaged.
    """
    told, num_faults = Annotations(), 0
    for name in container.members:
        if not name.endswith((MANIFEST_NAME, METADATA_NAME)):  # of a million names, most
            continue
        member = PurePosixPath(name)
        if name == METADATA_NAME or not _is_visible(member):  # the zip's own has been read
            continue
        if member.name == MANIFEST_NAME:
            origins, faults = parse_manifest(container.read(name).split(b"\n"))
            told.add_manifest(member.parent, origins)
            num_faults += faults
        elif member.name == METADATA_NAME and (unpacked := parse_unpacked(container.read(name))) is not None:
            told.add_unpacked(member.parent, unpacked)
    return told, num_faults


def _from_tar(path: Path, prefix: str, *, are_labels_kept: bool) -> list[SourcePicture]:
    """The pictures of a WebDataset shard; of its other members only labels are looked at."""
    try:
        shard = TarShard(path, use_labels=are_labels_kept)
    except FaultError as error:
        raise PackageError(f"{path}: {error.fault}") from None
    labels = [None] * len(shard) if shard.labels is None else shard.labels.tolist()
    names = map(shard.name, range(len(shard)))
    found = []
    for name, label in zip(names, labels, strict=True):
        parts = PurePosixPath(name).parts
        folder = parts[0] if len(parts) > 1 else path.name.partition(".")[0]
        found.append(SourcePicture(name=prefix + name, path=path, member=name, folder=folder, label=label))
    shard.close()
    return found


def _is_wanted(name: str) -> bool:
    member = PurePosixPath(name)
    is_metadata = member.name in (METADATA_NAME, MANIFEST_NAME) or member.name.lower() in _JUNK
    return not is_metadata and _is_visible(member)


def _is_visible(member: PurePosixPath) -> bool:
    is_a_copy_of_macs = member.parts[:1] == ("__MACOSX",)
    return (
        bool(member.name) and not is_a_copy_of_macs and not any(part.startswith(".") for part in member.parts)
    )


def _is_zip(path: Path) -> bool:
    """Whether it is a zip, or is named like one: what is wrong with that is found out when it is opened."""
    with path.open("rb") as file:
        return file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC or path.suffix.lower() == ".zip"


def _shown(path: Path) -> str:
    """`path` as text that can be written and printed anywhere; bytes that are not text are escaped."""
    return printable(os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace"))
