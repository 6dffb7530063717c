"""Reads data sets as a trainer would, and says what is wrong with each of their zips."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from bend.prepare.progress import reading_bar
from stylegan.archive import check_dataset
from stylegan.archive.faults import Fault

__all__ = ["check_zips", "fault_facts", "fault_lines"]

Faults: TypeAlias = Mapping[str, Sequence[Fault]]
"""The faults of each zip; an empty sequence for a sound one."""


def check_zips(paths: Iterable[Path]) -> Faults:
    """Read every picture and label, with a progress bar on stderr.

    Raises:
        OSError: one cannot be opened.
    """
    return {
        str(shard): found
        for path in paths
        for shard, found in check_dataset(str(path), progress=reading_bar("checking")).items()
    }


def fault_lines(faults: Faults) -> Iterator[str]:
    """A line a fault, and one for each zip that has none."""
    for path, found in faults.items():
        yield from (f"{path}: {fault}" for fault in found) if found else [f"{path}: sound"]


def fault_facts(faults: Faults) -> dict[str, list[dict[str, Any]]]:
    """The same as JSON values."""
    return {path: [dataclasses.asdict(fault) for fault in found] for path, found in faults.items()}
