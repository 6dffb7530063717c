"""What a file is that should have been something else.

Downloads go wrong in few ways: a page of HTML instead of the file, a git-lfs pointer, half a file, or the
right data in another wrapping. Each has its own mend, so each is told as what it is. Zips are judged here
when they turn out not to be zips; `bend.prepare.intake` judges pictures by the same table.
"""

from dataclasses import dataclass

__all__ = ["HEAD_BYTES", "Lookalike", "identify"]

HEAD_BYTES = 1024
"""How much of a file's start `identify` wants to see."""


@dataclass(frozen=True, slots=True)
class Lookalike:
    """What a file really is."""

    kind: str
    """Short machine-readable word."""
    what: str
    """The same for a person, with its article."""
    mend: str = ""
    """What to do about it; empty where nothing general can be said."""


_EMPTY = Lookalike("empty-file", "an empty file (0 bytes)", "make or download it again")
_HTML = Lookalike("html", "a web page (the download went wrong)", "download it again")
_TEXT = Lookalike("text", "a text file")
_UNKNOWN = Lookalike("unknown", "a file of unknown kind")

_MAGICS = (
    (
        b"version https://git-lfs",
        Lookalike("lfs-pointer", "a git-lfs pointer", "run `git lfs pull` and try again"),
    ),
    (b"PK\x03\x04", Lookalike("zip", "a zip")),
    (b"\x1f\x8b", Lookalike("gzip", "a gzip file")),
    (b"BZh", Lookalike("bzip2", "a bzip2 file")),
    (b"\xfd7zXZ\x00", Lookalike("xz", "an xz file")),
    (b"7z\xbc\xaf\x27\x1c", Lookalike("7-zip", "a 7-zip file")),
    (b"Rar!\x1a\x07", Lookalike("rar", "a RAR file")),
    (b"\x28\xb5\x2f\xfd", Lookalike("zstd", "a zstd file")),
    (b"\xff\xd8\xff", Lookalike("jpeg", "a JPEG picture")),
    (b"\x89PNG\r\n\x1a\n", Lookalike("png", "a PNG picture")),
    (b"%PDF-", Lookalike("pdf", "a PDF document")),
    (b"\x80\x02", Lookalike("pickle", "a pickle")),
    (b"\x80\x04", Lookalike("pickle", "a pickle")),
)
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script")
_TEXT_CONTROLS = "\t\r\n\f"


def identify(head: bytes) -> Lookalike:
    """What a file is whose first `HEAD_BYTES` bytes are `head`."""
    if not head:
        return _EMPTY
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_HTML_STARTS):
        return _HTML
    for magic, lookalike in _MAGICS:
        if head.startswith(magic):
            return lookalike
    return _TEXT if _is_text(head) else _UNKNOWN


def _is_text(head: bytes) -> bool:
    try:
        decoded = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # a character cut at the end of the block is no fault
            return False
        decoded = head[: error.start].decode()
    return all(char.isprintable() or char in _TEXT_CONTROLS for char in decoded)
