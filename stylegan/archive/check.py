"""Every fault of a data-set zip or shard, found by reading it as a trainer would: all of it."""

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath

from stylegan.archive.container import Container
from stylegan.archive.faults import Fault, FaultError
from stylegan.archive.metadata import read_labels
from stylegan.archive.picture import PictureShape, decode_picture, read_shape
from stylegan.archive.picture_set import labels_unlike, shape_unlike
from stylegan.archive.shard import image_rows, refuse_shape
from stylegan.archive.shard_names import find_shards
from stylegan.archive.shards import open_shard
from stylegan.archive.tar_shard import TarShard, is_tar

__all__ = ["check_archive", "check_dataset"]

Progress = Callable[[int, int], None]


def check_dataset(text: str, *, progress: Progress | None = None) -> dict[Path, list[Fault]]:
    """Check every shard of what `text` means (a zip, a pattern, a folder, a list), and whether they belong together.

    Raises:
        OSError: a file cannot be opened.
    """
    try:
        paths = find_shards(text)
    except FaultError as error:
        return {Path(text): [error.fault]}
    found = {path: check_archive(path, progress=progress) for path in paths}
    if len(paths) > 1 and not any(found.values()):
        first = open_shard(paths[0])
        first_shape = read_shape(first.read(0), first.name(0))
        for path in paths[1:]:
            shard = open_shard(path)
            shape = shape_unlike(read_shape(shard.read(0), shard.name(0)), shard.name(0), first, first_shape)
            unlike = (shape, labels_unlike(shard.labels, first, first.labels))
            found[path] += [error.fault for error in unlike if error is not None]
    return found


def check_archive(path: str | os.PathLike[str], *, progress: Progress | None = None) -> list[Fault]:
    """Read every picture and label of the zip or tar at `path`, and list what is wrong; empty when all is well.

    Args:
        path: the file.
        progress: called with (pictures read, pictures in all) after each.

    Raises:
        OSError: the file cannot be opened.
    """
    if is_tar(Path(path)):
        return _check_tar(Path(path), progress)
    try:
        container = Container(path)
    except FaultError as error:
        return [error.fault]
    try:
        return _check_names(container) + _check_zip(container, progress)
    finally:
        container.close()


def _check_tar(path: Path, progress: Progress | None) -> list[Fault]:
    try:
        shard = TarShard(path)
    except FaultError as error:
        return [error.fault]
    try:
        return _check_images(len(shard), shard.name, shard.read, progress)
    finally:
        shard.close()


def _check_zip(container: Container, progress: Progress | None) -> list[Fault]:
    try:
        rows = image_rows(container)
    except FaultError as error:
        return [error.fault]
    faults = _check_images(
        len(rows),
        lambda place: container.members.names.text(int(rows[place])),
        lambda place: container.read_row(int(rows[place])),
        progress,
    )
    try:
        read_labels(container, rows)
    except FaultError as error:
        faults.append(error.fault)
    return faults


def _check_names(container: Container) -> list[Fault]:
    faults = [
        Fault(kind="duplicate-name", message="stands in the zip more than once", member=name)
        for name in container.members.duplicates
    ]
    for name in container.members:
        if _is_hostile(name):
            message = "a path that leads out of the folder it is unpacked in"
            faults.append(Fault(kind="unsafe-name", message=message, member=name))
    return faults


def _check_images(
    length: int, name_of: Callable[[int], str], read: Callable[[int], bytes], progress: Progress | None
) -> list[Fault]:
    faults = []
    first: tuple[str, PictureShape] | None = None
    for place in range(length):
        name = name_of(place)
        try:
            shape = PictureShape.of(decode_picture(read(place), name))
            first = first or (name, shape)
            _refuse_unlike(shape, name, first)
        except FaultError as error:
            faults.append(error.fault)
        if progress is not None:
            progress(place + 1, length)
    return faults


def _refuse_unlike(shape: PictureShape, name: str, first: tuple[str, PictureShape]) -> None:
    if name == first[0]:
        refuse_shape(shape, name)
    elif shape != first[1]:
        raise FaultError("mixed-size", f"{shape}, but the first image, {first[0]}, is {first[1]}", name)


def _is_hostile(name: str) -> bool:
    windows = PureWindowsPath(name)
    return ".." in windows.parts or bool(windows.drive) or PurePosixPath(name).is_absolute() or "\0" in name
