"""`manifest.jsonl`: one line a picture, kept or refused, in the order in which they were considered.

It is the scrape's result as much as the pictures are: who made each, under which licence, where it was found, and
for the refused ones why. Lines are only ever appended, so the file is good at any moment; a line that a crash cut
short is dropped when the scrape goes on. A picture looked at again (`--retry`) gets another line: the last counts.
Nothing in it depends on when or how fast things happened.
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PureWindowsPath
from typing import Any, Self

from scrapers.errors import FolderError
from scrapers.picture import Picture
from scrapers.source import ImageRef

__all__ = ["NAME", "Entry", "Manifest", "read_manifest"]

NAME = "manifest.jsonl"
_PICTURE_FIELDS = tuple(f.name for f in fields(Picture))
_REF_FIELDS = tuple(f.name for f in fields(ImageRef))
_TEXTS = ("file", "reason", "detail", "fetched_url")
_NUMBERS = frozenset({"width", "height", "num_bytes", "sharpness", "texture", "text"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line: the reference, and what became of it.

    Attributes:
        ref: the picture as its service described it.
        file: path within the folder; None where it was refused.
        reason: why it was refused, one word; None where it was kept.
        detail: more about the reason, one line.
        picture: what the file is; None where it never got so far.
        fetched_url: where it came from, if not from `image_url`.
    """

    ref: ImageRef
    file: str | None = None
    reason: str | None = None
    detail: str | None = None
    picture: Picture | None = None
    fetched_url: str | None = None

    def __post_init__(self) -> None:
        if (self.file is None) == (self.reason is None):
            raise ValueError("an Entry is either kept under a file name or refused for a reason")
        if self.file is not None and not _is_within(self.file):
            raise ValueError(f"file {self.file!r} leads out of the folder")

    @property
    def is_kept(self) -> bool:
        """Whether the picture is in the folder."""
        return self.file is not None

    def to_json(self) -> str:
        """One line, without its end. Flat: sizes are the measured ones where there are any."""
        record: dict[str, Any] = {
            "status": "kept" if self.is_kept else "refused",
            "file": self.file,
            "reason": self.reason,
            "detail": self.detail,
            **asdict(self.ref),
            "fetched_url": self.fetched_url,
            "sha256": None,
            "phash": None,
            "format": None,
            "num_bytes": None,
        }
        if self.picture:
            record |= asdict(self.picture)
        return json.dumps(
            {name: value for name, value in record.items() if value is not None}, ensure_ascii=False
        )

    @classmethod
    def from_json(cls, line: str | bytes) -> Self:
        """Read a line.

        Raises:
            ValueError: it is not one.
        """
        try:
            record = json.loads(line)
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(record, dict):
            raise ValueError("not an object")
        record = {name: value for name, value in record.items() if value is not None}
        for name in (*_TEXTS, *_REF_FIELDS, *_PICTURE_FIELDS):
            kind = int | float if name in _NUMBERS else str
            if name in record and not isinstance(record[name], kind):
                raise ValueError(f"{name} is no {'text' if kind is str else 'number'}")
        try:
            picture = None
            if record.get("sha256"):
                picture = Picture(**{name: record[name] for name in _PICTURE_FIELDS if name in record})
            return cls(
                ref=ImageRef(**{name: record[name] for name in _REF_FIELDS if name in record}),
                file=record.get("file"),
                reason=record.get("reason"),
                detail=record.get("detail"),
                picture=picture,
                fetched_url=record.get("fetched_url"),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"a field is missing or wrong: {error}") from None


class Manifest:
    """The open manifest of a scrape under way. A cut-short last line is dropped on opening.

    Args:
        path: the file; made where it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _drop_torn_line(path)
        # What UTF-8 cannot hold, such as half a character in a detail, becomes the escape that JSON has for it.
        self._file = path.open("a", encoding="utf-8", errors="backslashreplace", newline="\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._file:  # closed whatever the disk says
            self._file.flush()
            os.fsync(self._file.fileno())

    def append(self, entry: Entry) -> None:
        """Write a line and hand it to the operating system at once."""
        self._file.write(entry.to_json() + "\n")
        sys.audit("failpoint", "line", str(self.path))
        self._file.flush()
        sys.audit("failpoint", "entered", str(self.path))


def read_manifest(path: Path) -> Iterator[Entry]:
    """The lines of a manifest, a cut-short last one left out.

    Raises:
        FolderError: it is absent, or a line before the last is not readable.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield Entry.from_json(line)
                except ValueError as error:
                    raise FolderError(
                        f"{path}: line {number} is not readable ({error}); delete that line"
                    ) from None
    except FileNotFoundError:
        raise FolderError(f"{path}: no such file; give a folder that `bend scrape` made") from None


def _is_within(file: str) -> bool:
    """Whether a path stays in the folder that it is relative to, on any system."""
    path = PureWindowsPath(file)
    return bool(path.name) and not path.anchor and ".." not in path.parts and "\0" not in file


def _drop_torn_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 4096)
            file.seek(start)
            block = file.read(end - start)
            if (at := block.rfind(b"\n")) >= 0:
                file.truncate(start + at + 1)
                return
            end = start
        file.truncate(0)
