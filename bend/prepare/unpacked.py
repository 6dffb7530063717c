"""A data set that was unpacked into a folder, to be looked through by hand say: what its `dataset.json` tells.

Labels and origins then stay with their pictures when the folder is packaged again. Any other file of that name is
none of a data set's, and left to be refused as what it is.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bend.prepare.origins import origin_with_parent
from stylegan.archive.metadata import METADATA_NAME, Label

__all__ = ["Unpacked", "parse_unpacked", "read_unpacked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What is known of pictures by their names, which are relative to the folder and have forward slashes."""

    labels: dict[str, Label]
    """Classes or vectors; empty where the data set has none."""
    origins: dict[str, dict[str, str]]
    """Who made them, and what they were cut from."""


def read_unpacked(folder: Path) -> Unpacked | None:
    """The data set whose `dataset.json` lies in `folder`; None where there is none.

    Raises:
        OSError: it cannot be read.
    """
    path = folder / METADATA_NAME
    return parse_unpacked(path.read_bytes()) if path.is_file() else None


def parse_unpacked(content: bytes) -> Unpacked | None:
    """The data set that a `dataset.json` of this content tells of; None where it tells of none."""
    try:
        record = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or "labels" not in record:
        return None
    pairs, sources = record["labels"] or [], record.get("sources") or {}
    if not isinstance(pairs, list) or not isinstance(sources, dict):
        return None
    return Unpacked(
        labels={pair[0].replace("\\", "/"): pair[1] for pair in pairs if _is_labelled(pair)},
        origins={
            name: origin_with_parent(entry) for name, entry in sources.items() if isinstance(entry, dict)
        },
    )


def _is_labelled(pair: Any) -> bool:
    """Whether it is a name and its label, a class or a vector of numbers."""
    match pair:
        case [str(), int()]:
            return True
        case [str(), [*values]]:
            return all(isinstance(value, int | float) for value in values)
    return False
