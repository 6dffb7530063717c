"""Every fault of a data-set zip, found by reading it as a trainer would: all of it."""

import os
from collections.abc import Callable
from pathlib import PurePosixPath, PureWindowsPath

from stylegan.archive.container import Container
from stylegan.archive.faults import Fault, FaultError
from stylegan.archive.metadata import read_labels
from stylegan.archive.picture import PictureShape, decode_picture
from stylegan.archive.shard import image_rows, refuse_shape

__all__ = ["check_archive"]

Progress = Callable[[int, int], None]


def check_archive(path: str | os.PathLike[str], *, progress: Progress | None = None) -> list[Fault]:
    """Read every picture and label of the zip at `path`, and list what is wrong; empty when all is well.

    Args:
        path: the zip file.
        progress: called with (pictures read, pictures in all) after each.

    Raises:
        OSError: the file cannot be opened.
    """
    try:
        container = Container(path)
    except FaultError as error:
        return [error.fault]
    try:
        return _check_names(container) + _check_images(container, progress)
    finally:
        container.close()


def _check_names(container: Container) -> list[Fault]:
    faults = [
        Fault(kind="duplicate-name", message="stands in the zip more than once", member=name)
        for name in container.duplicates
    ]
    for name in container.members:
        if _is_hostile(name):
            message = "a path that leads out of the folder it is unpacked in"
            faults.append(Fault(kind="unsafe-name", message=message, member=name))
    return faults


def _check_images(container: Container, progress: Progress | None) -> list[Fault]:
    try:
        rows = image_rows(container)
    except FaultError as error:
        return [error.fault]
    faults = []
    first: tuple[str, PictureShape] | None = None
    for done, row in enumerate(rows.tolist(), 1):
        name = container.members.names.text(row)
        try:
            shape = _read(container, row, name)
            first = first or (name, shape)
            _refuse_unlike(shape, name, first)
        except FaultError as error:
            faults.append(error.fault)
        if progress is not None:
            progress(done, len(rows))
    try:
        read_labels(container, rows)
    except FaultError as error:
        faults.append(error.fault)
    return faults


def _read(container: Container, row: int, name: str) -> PictureShape:
    num_channels, height, width = decode_picture(container.read_row(row), name).shape
    return PictureShape(num_channels=num_channels, height=height, width=width)


def _refuse_unlike(shape: PictureShape, name: str, first: tuple[str, PictureShape]) -> None:
    if name == first[0]:
        refuse_shape(shape, name)
    elif shape != first[1]:
        raise FaultError("mixed-size", f"{shape}, but the first image, {first[0]}, is {first[1]}", name)


def _is_hostile(name: str) -> bool:
    windows = PureWindowsPath(name)
    return ".." in windows.parts or bool(windows.drive) or PurePosixPath(name).is_absolute() or "\0" in name
