"""`dataset.json`: the labels, and where each picture comes from.

`{"labels": [["00000/img00000000.png", 6], …], "sources": {"00000/img00000000.png": {…}, …}}`. Labels are
whole numbers (class indices, given to the network as one-hot vectors) or vectors of numbers, or null for
none. The official loader reads `labels` alone, so `sources` rides along unseen.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from stylegan.archive.container import Container
from stylegan.archive.faults import FaultError, show_name

__all__ = ["MAX_CLASSES", "METADATA_NAME", "compose_metadata", "read_labels", "read_sources"]

METADATA_NAME = "dataset.json"
MAX_CLASSES = 65536

Label = int | Sequence[float]
Labels = npt.NDArray[np.int64] | npt.NDArray[np.float32]


def read_labels(container: Container, names: Sequence[str]) -> Labels | None:
    """Labels of the pictures `names`: int64 [N] class indices or float32 [N, D] vectors, None without.

    Raises:
        FaultError: `dataset.json` is malformed, or labels are missing or unlike one another.
    """
    entries = _load(container).get("labels")
    if entries is None:
        return None
    table = _label_table(entries)
    missing = [name for name in names if name.replace("\\", "/") not in table]
    if missing:
        shown = ", ".join(show_name(name) for name in missing[:3]) + (", …" if len(missing) > 3 else "")
        raise FaultError(
            "labels-missing", f"no label for {len(missing)} of {len(names)} images: {shown}", METADATA_NAME
        )
    return _stack([table[name.replace("\\", "/")] for name in names])


def read_sources(container: Container, names: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """What is known of each picture's origin, aligned with `names`; empty dicts where nothing is.

    Raises:
        FaultError: `dataset.json` is malformed.
    """
    entries = _load(container).get("sources")
    table = entries if isinstance(entries, dict) else {}
    found = (table.get(name) for name in names)
    return tuple(dict(entry) if isinstance(entry, dict) else {} for entry in found)


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
            _stack([label for label in labels if label is not None])
    except FaultError as error:
        raise ValueError(error.fault.message) from None
    return json.dumps(content, ensure_ascii=False, indent=None, separators=(", ", ": ")).encode(
        errors="replace"
    )


def _load(container: Container) -> dict[str, Any]:
    if METADATA_NAME not in container.members:
        return {}
    try:
        content = json.loads(container.read(METADATA_NAME))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise FaultError("metadata", f"not valid JSON ({error})", METADATA_NAME) from None
    if not isinstance(content, dict):
        raise FaultError("metadata", "must hold an object with the key `labels`", METADATA_NAME)
    return content


def _label_table(entries: Any) -> dict[str, Any]:
    if not isinstance(entries, list):
        raise FaultError("metadata", "`labels` must be null or a list of [name, label] pairs", METADATA_NAME)
    table = {}
    for entry in entries:
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)):
            raise FaultError(
                "metadata", f"{str(entry)[:60]} in `labels` is not a [name, label] pair", METADATA_NAME
            )
        table[entry[0].replace("\\", "/")] = entry[1]
    return table


def _stack(values: Sequence[Any]) -> Labels:
    if all(_is_index(value) for value in values):
        if max(values) >= MAX_CLASSES or min(values) < 0:
            raise FaultError("labels", f"class labels must lie in 0..{MAX_CLASSES - 1}", METADATA_NAME)
        return np.array(values, np.int64)
    lengths = {len(value) if isinstance(value, (list, tuple)) else -1 for value in values}
    if len(lengths) != 1 or not lengths.isdisjoint({-1, 0}) or not all(map(_is_vector, values)):
        raise FaultError(
            "labels",
            "labels must be all whole numbers, or all vectors of as many finite numbers",
            METADATA_NAME,
        )
    return np.array(values, np.float32)


def _is_index(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_vector(value: Sequence[Any]) -> bool:
    return all(isinstance(number, (int, float)) and math.isfinite(number) for number in value)
