"""What files beside pictures tell of them: manifests of scrapes, and `dataset.json` of data sets that were unpacked.

They may lie in any folder of what is packaged, and be packed into a zip with it. Paths are relative to that.
"""

from collections.abc import Mapping
from pathlib import PurePath
from typing import TypeVar

from bend.prepare.unpacked import Unpacked
from stylegan.archive.metadata import Label

__all__ = ["Annotations"]

Value = TypeVar("Value")


class Annotations:
    """Collects what is told, folder by folder; of a picture that which the nearest folder tells counts."""

    def __init__(self) -> None:
        self._origins: dict[PurePath, dict[str, dict[str, str]]] = {}
        self._labels: dict[PurePath, dict[str, Label]] = {}

    def add_manifest(self, folder: PurePath, origins: Mapping[str, dict[str, str]]) -> None:
        """Take in a manifest's origins by name; they go before those of a data set in the same folder."""
        self._origins.setdefault(folder, {}).update(origins)

    def add_unpacked(self, folder: PurePath, unpacked: Unpacked) -> None:
        """Take in what the `dataset.json` of a folder tells."""
        self._origins[folder] = unpacked.origins | self._origins.get(folder, {})
        self._labels[folder] = unpacked.labels

    def origin(self, path: PurePath) -> dict[str, str]:
        """Where a picture comes from; empty if nobody tells."""
        return _nearest(self._origins, path) or {}

    def label(self, path: PurePath) -> Label | None:
        """The label that a picture had."""
        return _nearest(self._labels, path)


def _nearest(told: Mapping[PurePath, Mapping[str, Value]], path: PurePath) -> Value | None:
    for folder in path.parents if told else ():  # most zips have none, and a million names
        if folder not in told:
            continue
        entry = told[folder].get(path.relative_to(folder).as_posix())
        if entry is not None:
            return entry
    return None
