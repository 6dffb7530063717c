"""Labels of many pictures in one array: class indices or vectors, whichever the first one is."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stylegan.archive.faults import FaultError, show_name

__all__ = ["MAX_CLASSES", "Label", "LabelColumn", "Labels", "label_dim", "stack"]

MAX_CLASSES = 65536
_MAX_NUMBERS = 1 << 26  # of all vectors together: 256 MiB
_MOST_SHOWN = 3  # names in a message
_GREATEST = float(np.finfo(np.float32).max)

Label = int | Sequence[float]
Labels = npt.NDArray[np.int64] | npt.NDArray[np.float32]


class LabelColumn:
    """Labels put in one by one, in any order; what is wrong with them is raised by `finish`.

    Args:
        length: how many there may be.
        member: the member that faults name.
    """

    def __init__(self, length: int, member: str | None = None) -> None:
        self.has_label = np.zeros(length, bool)
        """Which places have a label."""
        self._length = length
        self._member = member
        self._values: Labels | None = None
        self._is_mixed = False
        self._is_out_of_range = False

    def put(self, place: int, value: Any) -> None:
        """Label `place`; a later one replaces it.

        Raises:
            FaultError: all labels together would be too large.
        """
        self.has_label[place] = True
        width = _width(value)
        if self._values is None and width is not None:
            self._refuse_many(width)
            length = len(self.has_label)
            self._values = np.zeros(length, np.int64) if width == 0 else np.zeros([length, width], np.float32)
        if width is None or self._values is None or width != _width_of(self._values):
            self._is_mixed = True
        elif width == 0 and not 0 <= value < MAX_CLASSES:
            self._is_out_of_range = True
        else:
            self._values[place] = value

    def reserve(self, length: int) -> None:
        """Make room for at least `length` labels.

        Raises:
            FaultError: all labels together would be too large.
        """
        short = length - len(self.has_label)
        if short <= 0:
            return
        self._length = length
        num_more = max(short, len(self.has_label))
        if self._values is not None and (width := _width_of(self._values)):
            self._refuse_many(width)
            num_more = max(short, min(num_more, _MAX_NUMBERS // width - len(self.has_label)))
        self.has_label = np.concatenate([self.has_label, np.zeros(num_more, bool)])
        if self._values is not None:
            more = np.zeros([num_more, *self._values.shape[1:]], self._values.dtype)
            self._values = np.concatenate([self._values, more])

    def refuse_missing(self, length: int, name_of: Callable[[int], str]) -> None:
        """Refuse to go on unless each of the first `length` places has a label.

        Args:
            length: how many there must be.
            name_of: the name of the picture at a place, for the message.

        Raises:
            FaultError: some have none.
        """
        missing = np.flatnonzero(~self.has_label[:length])
        if not len(missing):
            return
        shown = ", ".join(show_name(name_of(place)) for place in missing[:_MOST_SHOWN].tolist())
        more = ", …" if len(missing) > _MOST_SHOWN else ""
        message = f"no label for {len(missing)} of {length} images: {shown}{more}; label all of them, or none"
        raise FaultError("labels-missing", message, self._member)

    def finish(self) -> Labels:
        """Int64 [N] class indices or float32 [N, D] vectors.

        Raises:
            FaultError: they are unlike one another, or not labels.
        """
        if self._is_mixed or self._values is None:
            raise FaultError(
                "labels",
                f"labels must be all whole numbers, or all vectors of as many finite numbers, {MAX_CLASSES} at most",
                self._member,
            )
        if self._is_out_of_range:
            raise FaultError("labels", f"class labels must lie in 0..{MAX_CLASSES - 1}", self._member)
        return self._values

    def _refuse_many(self, width: int) -> None:
        if self._length * width > _MAX_NUMBERS:
            raise FaultError(
                "labels",
                f"label vectors of {width:,} numbers for {self._length:,} images take more than "
                f"{_MAX_NUMBERS >> 18} MiB; give the number of each image's class instead",
                self._member,
            )


def stack(values: Sequence[Any], member: str | None = None) -> Labels:
    """All `values` as one array.

    Raises:
        FaultError: as `LabelColumn.finish`.
    """
    column = LabelColumn(len(values), member)
    for place, value in enumerate(values):
        column.put(place, value)
    return column.finish()


def label_dim(all_labels: Iterable[Labels | None]) -> int:
    """Width of the label vectors that a network gets: the highest class plus one, or the vectors' own length."""
    return max(
        (
            0 if labels is None else int(labels.max()) + 1 if labels.ndim == 1 else labels.shape[1]
            for labels in all_labels
        ),
        default=0,
    )


def _width(value: Any) -> int | None:
    """0 for a class, the length of a vector, None for what is not a label."""
    if isinstance(value, int) and not isinstance(value, bool):
        return 0
    if isinstance(value, (list, tuple)) and 0 < len(value) <= MAX_CLASSES and all(map(_is_number, value)):
        return len(value)
    return None


def _width_of(values: Labels) -> int:
    return 0 if values.ndim == 1 else values.shape[1]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) <= _GREATEST
