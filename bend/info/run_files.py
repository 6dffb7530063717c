"""The small JSON files of a run folder, any of which may be missing, half-written, or a stranger's.

What is not of its kind is taken for absent, so that one damaged run never hides the others.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["number_in", "parse_object", "read_object", "table_in"]


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; an empty one if there is none.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        return parse_object(path.read_bytes())
    except FileNotFoundError:
        return {}


def parse_object(text: bytes) -> dict[str, Any]:
    """The object that a text holds; an empty one if it holds something else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def table_in(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The table of that name; an empty one if there is none."""
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def number_in(value: object) -> float | None:
    """A value that is a finite number; None for any other."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Compared, since `math.isfinite` raises on whole numbers beyond float's.
    return float(value) if abs(value) <= sys.float_info.max else None
