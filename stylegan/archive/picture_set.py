"""Pictures and labels by index, over one shard or many, as a training reads them.

Opening looks at lists, labels and one header for each shard, so that it is quick at any size; each picture is judged
when it is read. `stylegan.archive.check` goes through them all beforehand.
"""

import bisect
import hashlib
import itertools
import operator
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stylegan.archive.faults import FaultError, fault_as_error
from stylegan.archive.labels import Labels, label_dim
from stylegan.archive.picture import PictureShape, decode_picture, read_shape
from stylegan.archive.shard import Shard, refuse_shape

__all__ = ["PictureSet", "labels_unlike", "shape_unlike"]


class PictureSet:
    """The pictures of some shards, one shard after the other.

    Reading takes no lock: one object serves threads and forked workers, and pickles for spawned ones.

    Args:
        shards: where they lie, at least one.
        path: what a person opened.
        name: what a run is named after.
        max_images: use at most this many, spread evenly; None for all.
        xflip: append every picture's mirror image, so that the length doubles; the second half is mirrored.

    Raises:
        ArchiveError: the shards do not belong together, or cannot be trained on; the message names shard and member.
        ValueError: `max_images` is not positive.
    """

    def __init__(
        self, shards: Sequence[Shard], *, path: Path, name: str, max_images: int | None, xflip: bool
    ) -> None:
        if max_images is not None and max_images < 1:
            raise ValueError(f"max_images must be at least 1, not {max_images}")
        self.path = path
        """What was opened: a file, a folder, or a pattern of names."""
        self.name = name
        """Run folders are named after it."""
        self.xflip = xflip
        self._shards = tuple(shards)
        self._starts = [0, *itertools.accumulate(map(len, shards))]
        self._shape = _common_shape(shards)
        labels = _common_labels(shards)
        self.label_dim: int = label_dim([labels])
        """Width of the labels; for one-hot vectors, what the highest class in any shard needs; 0 for none."""
        self._kept = _spread(self._starts[-1], max_images)
        self._labels = labels if labels is None or self._kept is None else labels[self._kept]
        for shard in shards:
            shard.labels = None  # one copy is enough
        self._fingerprint: str | None = None

    @property
    def num_shards(self) -> int:
        """How many files it is made of."""
        return len(self._shards)

    @property
    def num_bytes(self) -> int:
        """Size of the files."""
        return sum(shard.path.stat().st_size for shard in self._shards)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the pictures; those of several shards begin with their shard's. Made anew each time."""
        prefixes = [f"{shard.path.name}/" if self.num_shards > 1 else "" for shard in self._shards]
        found = map(self._place, range(self.num_originals))
        return tuple(prefixes[shard] + self._shards[shard].name(place) for shard, place in found)

    @property
    def num_originals(self) -> int:
        """Pictures without their mirror images."""
        return self._starts[-1] if self._kept is None else len(self._kept)

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
    def blocks(self) -> tuple[int, ...] | None:
        """Pictures of each shard, mirror images included; None where the order of reading does not matter."""
        if not any(shard.is_sequential for shard in self._shards):
            return None
        starts = self._starts if self._kept is None else np.searchsorted(self._kept, self._starts)
        return tuple(np.diff(starts).tolist()) * (2 if self.xflip else 1)

    @property
    def sources(self) -> tuple[dict[str, Any], ...]:
        """Where each of `names` comes from (license, creator, page_url, …); empty dicts where unknown."""
        found: dict[int, dict[str, Any]] = dict(self._iterate_sources())
        kept = range(self._starts[-1]) if self._kept is None else self._kept.tolist()
        return tuple(found.get(i, {}) for i in kept)

    def iterate_sources(self) -> Iterator[dict[str, Any]]:
        """What is known of each picture's origin, in their order; pictures of unknown origin are left out."""
        return (entry for _, entry in self._iterate_sources())

    def __len__(self) -> int:
        return self.num_originals * (2 if self.xflip else 1)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Picture uint8 [C, H, W] and label float32 [label_dim]; `index` may be numpy's or torch's whole number."""
        return self.image(index), self.label(index)

    def image(self, index: int) -> npt.NDArray[np.uint8]:
        """Picture `index`, uint8 [C, H, W], contiguous and the caller's own.

        Raises:
            ArchiveError: the member is damaged or unlike the first one.
        """
        original, is_mirrored = self._locate(index)
        number, place = self._place(original)
        shard = self._shards[number]
        try:
            name = shard.name(place)
            pixels = decode_picture(shard.read(place), name)
            if (shape := PictureShape.of(pixels)) != self._shape:
                raise FaultError("mixed-size", f"{shape}, but the data set is {self._shape}", name)
        except FaultError as error:
            raise fault_as_error(shard.path, error) from None
        return np.ascontiguousarray(pixels[:, :, ::-1]) if is_mirrored else pixels

    def label(self, index: int) -> npt.NDArray[np.float32]:
        """Label of picture `index`, float32 [label_dim]: one-hot for class indices, empty where none."""
        original, _ = self._locate(index)
        if self._labels is None:
            return np.zeros(0, np.float32)
        if self._labels.ndim == 2:
            return self._labels[original].astype(np.float32)
        one_hot = np.zeros(self.label_dim, np.float32)
        one_hot[self._labels[original]] = 1
        return one_hot

    def label_counts(self) -> dict[int, int] | None:
        """Pictures of each class that there is, mirror images left out; None where labels are not classes."""
        if self._labels is None:
            return None
        if self._labels.ndim == 2:
            is_one_hot = (self._labels.max(1) == 1) & (np.count_nonzero(self._labels, axis=1) == 1)
            if not is_one_hot.all():
                return None
        classes = self._labels if self._labels.ndim == 1 else self._labels.argmax(1)
        found, counts = np.unique(classes, return_counts=True)
        return dict(zip(found.tolist(), counts.tolist(), strict=True))

    def fingerprint(self) -> str:
        """SHA-256 over names, sizes, checksums and labels: what the data set is, wherever it lies."""
        if self._fingerprint is None:
            digest = hashlib.sha256()
            for shard, places in self._kept_places():
                for line in shard.identities(places):
                    digest.update(line)
            if self._labels is not None:
                digest.update(np.ascontiguousarray(self._labels).tobytes())
            self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def close(self) -> None:
        """Close the files; this happens by itself when the object is garbage collected."""
        for shard in self._shards:
            shard.close()

    def _locate(self, index: int) -> tuple[int, bool]:
        """Number of the picture among those kept, and whether it is to be mirrored."""
        index, length = operator.index(index), len(self)
        if not -length <= index < length:
            raise IndexError(f"image {index} of {length}")
        is_mirrored, original = divmod(index % length, self.num_originals)
        return original, bool(is_mirrored)

    def _place(self, original: int) -> tuple[int, int]:
        """Shard, and place in it, of a picture by its number among those kept."""
        number = original if self._kept is None else int(self._kept[original])
        shard = bisect.bisect_right(self._starts, number) - 1 if self.num_shards > 1 else 0
        return shard, number - self._starts[shard]

    def _kept_places(self) -> Iterator[tuple[Shard, Sequence[int]]]:
        for shard, start, stop in zip(self._shards, self._starts, self._starts[1:], strict=False):
            if self._kept is None:
                yield shard, range(len(shard))
            else:
                inside = self._kept[(self._kept >= start) & (self._kept < stop)]
                yield shard, (inside - start).tolist()

    def _iterate_sources(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for shard, start in zip(self._shards, self._starts, strict=False):
            try:
                for place, entry in shard.iterate_sources():
                    yield start + place, entry
            except FaultError as error:
                raise fault_as_error(shard.path, error) from None


def shape_unlike(
    shape: PictureShape, name: str, first: Shard, first_shape: PictureShape
) -> FaultError | None:
    """The fault of a shard whose pictures are of another shape than the first shard's; None where they agree."""
    if shape == first_shape:
        return None
    message = f"{shape}, but {first.path.name} has {first_shape}; `bend package` them with one --resolution"
    return FaultError("mixed-size", message, name)


def labels_unlike(labels: Labels | None, first: Shard, first_labels: Labels | None) -> FaultError | None:
    """The fault of a shard whose labels are of another kind than the first shard's; None where they agree."""
    kind, first_kind = _label_kind(labels), _label_kind(first_labels)
    if kind == first_kind:
        return None
    return FaultError(
        "labels", f"{kind}, but {first.path.name} has {first_kind}; label all shards alike, or none"
    )


def _common_shape(shards: Sequence[Shard]) -> PictureShape:
    found: PictureShape | None = None
    for shard in shards:
        name = shard.name(0)
        try:
            shape = read_shape(shard.read(0), name)
            if found is None:
                refuse_shape(shape, name)
                found = shape
            elif fault := shape_unlike(shape, name, shards[0], found):
                raise fault
        except FaultError as error:
            raise fault_as_error(shard.path, error) from None
    assert found is not None, "a data set has a shard"
    return found


def _common_labels(shards: Sequence[Shard]) -> Labels | None:
    first = shards[0]
    for shard in shards:
        if fault := labels_unlike(shard.labels, first, first.labels):
            raise fault_as_error(shard.path, fault)
    if first.labels is None or len(shards) == 1:
        return first.labels
    return np.concatenate([shard.labels for shard in shards])


def _label_kind(labels: Labels | None) -> str:
    if labels is None:
        return "no labels"
    return "classes for labels" if labels.ndim == 1 else f"labels of {labels.shape[1]} numbers"


def _spread(num_images: int, max_images: int | None) -> npt.NDArray[np.int64] | None:
    """Numbers of the pictures to keep, evenly spaced, so that a set sorted by class keeps all its classes."""
    if max_images is None or max_images >= num_images:
        return None
    return np.arange(max_images, dtype=np.int64) * num_images // max_images
