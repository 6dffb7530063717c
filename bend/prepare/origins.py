"""Reads where pictures come from: the `manifest.jsonl` that a scrape leaves beside them.

Each line is a JSON object; `file` names the picture relative to the manifest's folder. Only the fields of an
attribution are copied into the data set.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "MANIFEST_NAME",
    "ORIGIN_FIELDS",
    "origin_of",
    "origin_with_parent",
    "parse_manifest",
    "read_manifest",
]

MANIFEST_NAME = "manifest.jsonl"
ORIGIN_FIELDS = (
    "source",
    "id",
    "title",
    "license",
    "license_url",
    "license_evidence",
    "creator",
    "creator_url",
    "page_url",
    "image_url",
    "attribution",
    "query",
)

_MAX_CHARACTERS = 2000  # of one field: titles can be whole essays


def read_manifest(path: Path) -> tuple[dict[str, dict[str, str]], int]:
    """Origins by file name (with forward slashes), and how many lines could not be read.

    A later line about a file replaces an earlier one; lines without `file` are about pictures that were not kept.

    Raises:
        OSError: the manifest cannot be read.
    """
    with path.open("rb") as lines:
        return parse_manifest(lines)


def parse_manifest(lines: Iterable[bytes]) -> tuple[dict[str, dict[str, str]], int]:
    """The same of a manifest's lines, wherever they come from."""
    origins: dict[str, dict[str, str]] = {}
    num_unreadable = 0
    for line in filter(bytes.strip, lines):
        try:
            entry = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict):
            num_unreadable += 1
        elif isinstance(entry.get("file"), str):
            origins[entry["file"].replace("\\", "/")] = origin_of(entry)
    return origins, num_unreadable


def origin_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a manifest line, or of a data set's `sources`, that make up an attribution."""
    values = {field: entry.get(field) for field in ORIGIN_FIELDS}
    return {field: _text(value) for field, value in values.items() if value not in (None, "")}


def origin_with_parent(entry: Mapping[str, Any]) -> dict[str, str]:
    """The same of an image of a data set, with the picture that it was cut from."""
    parent = entry.get("parent")
    return origin_of(entry) | ({"parent": parent} if isinstance(parent, str) else {})


def _text(value: Any) -> str:
    """Text of limited length, without lone surrogates, which JSON can hold but UTF-8 cannot."""
    return str(value)[:_MAX_CHARACTERS].encode("utf-8", "replace").decode()
