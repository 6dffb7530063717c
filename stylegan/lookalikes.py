"""What a file is that should have been something else, by its first bytes.

Downloads go wrong in few ways: a page of HTML instead of the file, a git-lfs pointer, half a file, or the right data in
another container. Each is mended differently, so each is named, whatever was expected: a data set, a network, a picture
or a film.
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
_XML = Lookalike("xml", "an XML file (a download that was refused?)")
_TEXT = Lookalike("text", "a text file")
_UNKNOWN = Lookalike("unknown", "a file of unknown kind")
_PICKLE = Lookalike("pickle", "a pickle")
_HEIC = Lookalike("heic", "a HEIC picture", "save it as JPEG first")
_GIF = Lookalike("gif", "a GIF picture")
_AVIF = Lookalike("avif", "an AVIF picture")
_UNPACK = "unpack it first"

# Which bytes identify it, and where they are in the file.
_SIGNATURES: dict[tuple[int, bytes], Lookalike] = {
    (0, b"version https://git-lfs"): Lookalike(
        "lfs-pointer", "a git-lfs pointer", "run `git lfs pull` and try again"
    ),
    (0, b"PK\x03\x04"): Lookalike("zip", "a zip"),
    (0, b"PK\x05\x06"): Lookalike("zip", "an empty zip"),
    (0, b"\x1f\x8b"): Lookalike("gzip", "a gzip file", _UNPACK),
    (0, b"BZh"): Lookalike("bzip2", "a bzip2 file", _UNPACK),
    (0, b"\xfd7zXZ\x00"): Lookalike("xz", "an xz file", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c"): Lookalike("7-zip", "a 7-zip file", _UNPACK),
    (0, b"Rar!\x1a\x07"): Lookalike("rar", "a RAR file", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd"): Lookalike("zstd", "a zstd file", _UNPACK),
    (257, b"ustar"): Lookalike("tar", "a tar", _UNPACK),
    (0, b"\xff\xd8\xff"): Lookalike("jpeg", "a JPEG picture"),
    (0, b"\x89PNG\r\n\x1a\n"): Lookalike("png", "a PNG picture"),
    (0, b"GIF87a"): _GIF,
    (0, b"GIF89a"): _GIF,
    (8, b"WEBPVP8"): Lookalike("webp", "a WebP picture"),
    **{(4, b"ftyp" + brand): _HEIC for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")},
    **{(4, b"ftyp" + brand): _AVIF for brand in (b"avif", b"avis")},
    (4, b"ftyp"): Lookalike("media", "a film or picture"),
    (0, b"%PDF-"): Lookalike("pdf", "a PDF document"),
    (0, b"\x89HDF"): Lookalike("hdf5", "an HDF5 file (Keras?)"),
    **{(0, bytes([0x80, protocol])): _PICKLE for protocol in (2, 3, 4, 5)},
}
_STARTS = {
    _HTML: (b"<!doctype html", b"<html", b"<head", b"<body", b"<script"),
    _XML: (b"<?xml",),
}
_TEXT_CONTROLS = "\t\r\n\f"


def identify(head: bytes) -> Lookalike:
    """What a file is whose first `HEAD_BYTES` bytes are `head`."""
    if not head:
        return _EMPTY
    for (offset, magic), lookalike in _SIGNATURES.items():
        if head.startswith(magic, offset):
            return lookalike
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for lookalike, words in _STARTS.items():
        if start.startswith(words):
            return lookalike
    return _TEXT if _is_text(head) else _UNKNOWN


def _is_text(head: bytes) -> bool:
    try:
        decoded = head.decode()
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":  # a character cut at the end of the block is not a fault
            return False
        decoded = head[: error.start].decode()
    return all(char.isprintable() or char in _TEXT_CONTROLS for char in decoded)
