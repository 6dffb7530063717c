"""`dataset.json`: the labels, and where each picture comes from.

`{"labels": [["00000/img00000000.png", 6], …], "sources": {"00000/img00000000.png": {…}, …}}`. Labels are
whole numbers (class indices, given to the network as one-hot vectors) or vectors of numbers, or null for
none. The official loader reads `labels` alone, so `sources` rides along unseen. It is read piece by piece,
straight into arrays, since that of a million pictures is half a gigabyte.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stylegan.archive.container import Container
from stylegan.archive.faults import FaultError
from stylegan.archive.json_reader import JsonReader
from stylegan.archive.labels import Label, LabelColumn, Labels, stack

__all__ = [
    "METADATA_NAME",
    "Label",
    "Places",
    "compose_metadata",
    "iterate_sources",
    "read_labels",
    "read_sources",
]

METADATA_NAME = "dataset.json"


def read_labels(container: Container, rows: npt.NDArray[np.int32]) -> Labels | None:
    """Labels of the pictures that are members `rows`: int64 [N] class indices or float32 [N, D] vectors, None without.

    Raises:
        FaultError: `dataset.json` is malformed, or labels are missing or unlike one another.
    """
    column = None
    with _reading(container) as reader:
        for key in reader.fields():
            if key != "labels":
                reader.skip()
            elif (kind := reader.peek()) == "n":
                column = reader.value()
            elif kind == "[":
                column = LabelColumn(len(rows), METADATA_NAME)
                _fill(column, reader.items(), Places(container, rows))
            else:
                raise _malformed("`labels` must be null or a list of [name, label] pairs")
    if column is None:
        return None
    column.refuse_missing(len(rows), lambda place: container.members.names.text(int(rows[place])))
    return column.finish()


def read_sources(container: Container, names: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """What is known of each picture's origin, aligned with `names`; empty dicts where nothing is.

    Raises:
        FaultError: `dataset.json` is malformed.
    """
    wanted = frozenset(names)
    table = {name: entry for name, entry in iterate_sources(container) if name in wanted}
    return tuple(table.get(name, {}) for name in names)


def iterate_sources(container: Container) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names and what is known of their origin, one after the other, in the file's order.

    Raises:
        FaultError: `dataset.json` is malformed.
    """
    with _reading(container) as reader:
        for key in reader.fields():
            if key != "sources" or reader.peek() != "{":
                reader.skip()
                continue
            for name in reader.fields():
                entry = reader.value()
                if isinstance(entry, dict):
                    yield name, entry


def compose_metadata(
    names: Sequence[str], labels: Sequence[Label | None], sources: Sequence[Mapping[str, Any] | None]
) -> bytes:
    """The bytes of `dataset.json`, the same for the same arguments.

    Raises:
        ValueError: only some pictures have labels, or the labels cannot be read back.
    """
    num_labelled = sum(label is not None for label in labels)
    if num_labelled not in (0, len(names)):
        raise ValueError(f"only {num_labelled} of {len(names)} images have labels; label all or none")
    pairs = [[name, label] for name, label in zip(names, labels, strict=True)] if num_labelled else None
    content: dict[str, Any] = {"labels": pairs}
    known = {name: dict(source) for name, source in zip(names, sources, strict=True) if source}
    if known:
        content["sources"] = known
    try:
        if pairs:
            stack(labels, METADATA_NAME)
    except FaultError as error:
        raise ValueError(error.fault.message) from None
    return json.dumps(content, ensure_ascii=False, indent=None, separators=(", ", ": ")).encode(
        errors="replace"
    )


class Places:
    """Which picture a name in `dataset.json` means. Names that come in order are found at once.

    Args:
        container: the zip.
        rows: the members that are pictures.
        has_backslashes: whether backslashes in names, there and here, stand for slashes.
    """

    def __init__(
        self, container: Container, rows: npt.NDArray[np.int32], *, has_backslashes: bool = True
    ) -> None:
        self._members, self._rows = container.members, rows
        self._has_backslashes = has_backslashes
        self._next = 0
        self._place_of_row: npt.NDArray[np.int32] | None = None
        self._by_slashes: dict[bytes, int] | None = None
        if has_backslashes and b"\\" in self._members.names.blob:
            named = enumerate(self._members.names[row] for row in rows.tolist())
            self._by_slashes = {name.replace(b"\\", b"/"): place for place, name in named}

    def find(self, name: str) -> int | None:
        """Which of `rows` the name means; None where it means none of them."""
        key = (name.replace("\\", "/") if self._has_backslashes else name).encode(errors="surrogatepass")
        if self._by_slashes is not None:
            return self._by_slashes.get(key)
        place = self._next
        if place < len(self._rows) and self._members.names[int(self._rows[place])] == key:
            self._next = place + 1
            return place
        if (row := self._members.find(key)) is None:
            return None
        if self._place_of_row is None:
            self._place_of_row = np.full(len(self._members), -1, np.int32)
            self._place_of_row[self._rows] = np.arange(len(self._rows), dtype=np.int32)
        place = int(self._place_of_row[row])
        self._next = place + 1
        return place if place >= 0 else None


@contextlib.contextmanager
def _reading(container: Container) -> Iterator[JsonReader]:
    """A reader of `dataset.json`, to be read to its end; its errors become faults. A missing file reads as empty."""
    is_there = METADATA_NAME in container.members
    reader = JsonReader(container.stream(METADATA_NAME) if is_there else [b"{}"])
    try:
        if reader.peek() not in "{":
            reader.value()
            raise _malformed("must hold an object with the key `labels`")
        yield reader
        reader.end()
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise _malformed(f"not valid JSON ({error})") from None


def _malformed(message: str) -> FaultError:
    return FaultError("metadata", message, METADATA_NAME)


def _fill(column: LabelColumn, entries: Iterable[Any], places: "Places") -> None:
    for entry in entries:
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)):
            raise _malformed(f"{str(entry)[:60]} in `labels` is not a [name, label] pair")
        if (place := places.find(entry[0])) is not None:
            column.put(place, entry[1])
