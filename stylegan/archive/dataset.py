"""A data-set zip opened for training: pictures and labels by index, from any number of workers.

Opening looks at the zip's directory, the labels and the first picture's header, so that it is quick on any
size; each picture is judged when it is read. `stylegan.archive.check` goes through them all beforehand.
"""

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from stylegan.archive.container import Container
from stylegan.archive.faults import FaultError, fault_as_error
from stylegan.archive.metadata import read_labels, read_sources
from stylegan.archive.picture import EXTENSIONS, PictureShape, decode_picture, read_shape

__all__ = ["DatasetZip", "image_names", "refuse_shape"]


class DatasetZip:
    """The pictures of a data-set zip, in the sorted order of their names.

    Reading takes no lock and reopens nothing: one object serves threads and forked workers, and pickles for
    spawned ones.

    Args:
        path: the zip file.
        max_images: use only so many, spread evenly over the sorted names; None for all.
        xflip: append every picture's mirror image, so that the length doubles; the second half is mirrored.
        use_labels: read the labels; False takes the set as unconditional, whatever its `dataset.json` says.

    Raises:
        ArchiveError: it is no data set that can be trained on; the message names the file and says why.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_images: int | None = None,
        xflip: bool = False,
        use_labels: bool = True,
    ) -> None:
        if max_images is not None and max_images < 1:
            raise ValueError(f"max_images must be at least 1, not {max_images}")
        self.path = Path(path)
        self.xflip = xflip
        try:
            self._container = Container(self.path)
            all_names = image_names(self._container)
            self._shape = read_shape(self._container.read(all_names[0]), all_names[0])
            refuse_shape(self._shape, all_names[0])
            all_labels = read_labels(self._container, all_names) if use_labels else None
        except FaultError as error:
            raise fault_as_error(self.path, error) from None
        kept = _spread(len(all_names), max_images)
        self.names: tuple[str, ...] = tuple(all_names[i] for i in kept)
        self.label_dim: int = _label_dim(all_labels)
        self._labels = None if all_labels is None else all_labels[kept]

    @property
    def name(self) -> str:
        """The file's name without its ending; run folders are named after it."""
        return self.path.stem

    @property
    def resolution(self) -> int:
        """Height and width in pixels."""
        return self._shape.height

    @property
    def num_channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return self._shape.num_channels

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return (self.num_channels, self.resolution, self.resolution)

    @property
    def has_labels(self) -> bool:
        """Whether a conditional network can be trained on it."""
        return self.label_dim > 0

    @property
    def sources(self) -> tuple[dict[str, Any], ...]:
        """Where each of `names` comes from (license, creator, page_url, …); empty dicts where unknown."""
        try:
            return read_sources(self._container, self.names)
        except FaultError as error:
            raise fault_as_error(self.path, error) from None

    def __len__(self) -> int:
        return len(self.names) * (2 if self.xflip else 1)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Picture uint8 [C, H, W] and label float32 [label_dim]."""
        return self.image(index), self.label(index)

    def image(self, index: int) -> npt.NDArray[np.uint8]:
        """Picture `index`, uint8 [C, H, W], contiguous and the caller's own.

        Raises:
            ArchiveError: the member is damaged or unlike the first one.
        """
        member, is_mirrored = self._locate(index)
        name = self.names[member]
        try:
            pixels = decode_picture(self._container.read(name), name)
            if pixels.shape != self.image_shape:
                raise FaultError(
                    "mixed-size", f"{_words(pixels.shape)}, but the data set is {self._shape}", name
                )
        except FaultError as error:
            raise fault_as_error(self.path, error) from None
        return np.ascontiguousarray(pixels[:, :, ::-1]) if is_mirrored else pixels

    def label(self, index: int) -> npt.NDArray[np.float32]:
        """Label of picture `index`, float32 [label_dim]: one-hot for class indices, empty where none."""
        member, _ = self._locate(index)
        if self._labels is None:
            return np.zeros(0, np.float32)
        if self._labels.ndim == 2:
            return self._labels[member].astype(np.float32)
        one_hot = np.zeros(self.label_dim, np.float32)
        one_hot[self._labels[member]] = 1
        return one_hot

    def fingerprint(self) -> str:
        """SHA-256 over names, sizes, checksums and labels: what the data set is, wherever it lies."""
        digest = hashlib.sha256()
        for name in self.names:
            member = self._container.members[name]
            digest.update(f"{name}\0{member.num_bytes}\0{member.crc}\n".encode())
        if self._labels is not None:
            digest.update(np.ascontiguousarray(self._labels).tobytes())
        return digest.hexdigest()

    def close(self) -> None:
        """Give the file descriptor back; happens by itself when the object goes."""
        self._container.close()

    def _locate(self, index: int) -> tuple[int, bool]:
        """Index into `names`, and whether the picture is to be mirrored."""
        length = len(self)
        if not -length <= index < length:
            raise IndexError(f"image {index} of {length}")
        is_mirrored, member = divmod(index % length, len(self.names))
        return member, bool(is_mirrored)


def image_names(container: Container) -> list[str]:
    """Names of the pictures in the zip, sorted; Finder's `__MACOSX` and dot files are not pictures.

    Raises:
        FaultError: there are none.
    """
    found = sorted(name for name in container.members if _is_image(name))
    if not found:
        raise FaultError("empty", "holds no pictures")
    return found


def refuse_shape(shape: PictureShape, name: str) -> None:
    """Raise FaultError unless the shape is one that a network can have."""
    mend = "run `bend package` on it with --resolution"
    if shape.height != shape.width:
        raise FaultError("not-square", f"{shape}: not square; {mend}", name)
    if shape.height < 4 or shape.height & (shape.height - 1):
        raise FaultError(
            "not-power-of-two", f"{shape}: the side is not a power of two of at least 4; {mend}", name
        )


def _is_image(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and path.parts[0] != "__MACOSX"


def _spread(num_images: int, max_images: int | None) -> list[int]:
    """Indices of the pictures to keep, evenly spaced, so that a set sorted by class keeps all its classes."""
    kept = num_images if max_images is None else min(max_images, num_images)
    return [i * num_images // kept for i in range(kept)]


def _label_dim(labels: npt.NDArray[Any] | None) -> int:
    if labels is None:
        return 0
    return int(labels.max()) + 1 if labels.ndim == 1 else labels.shape[1]


def _words(shape: tuple[int, ...]) -> PictureShape:
    return PictureShape(num_channels=shape[0], height=shape[1], width=shape[2])
