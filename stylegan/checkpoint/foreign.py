"""Telling what a file is that somebody took for a network, by its first bytes.

A download that was refused, a git-lfs pointer, a checkpoint of another kind: each is common, and each has its own
mend. What passes here has the outline of a safetensors file and a header of sane size, and no more than that.
"""

from pathlib import Path

from stylegan.errors import CheckpointError

__all__ = ["refuse_foreign"]

# A network of 1024 pixels takes some 60 kB; the library would read and parse up to 100 MB.
_MAX_HEADER_BYTES = 4 << 20
_HEAD_BYTES = 1024
_ONLY_OURS = "pass a .safetensors network"
# (offset, first bytes) -> what it is, and what to do.
_SIGNATURES: dict[tuple[int, bytes], str] = {
    (0, b"version https://git-lfs"): (
        "a git-lfs pointer, not the network itself; run `git lfs pull` where it came from"
    ),
    (0, b"PK\x03\x04"): f"a zip archive (a data set, or a PyTorch .pt?); {_ONLY_OURS}",
    (0, b"PK\x05\x06"): "an empty zip archive, not a network; pass a .safetensors, .pkl or .pt file",
    (0, b"\x89PNG"): "a PNG picture, not a network; pass a .safetensors, .pkl or .pt file",
    (0, b"\xff\xd8\xff"): "a JPEG picture, not a network; pass a .safetensors, .pkl or .pt file",
    (4, b"ftyp"): "a film or picture, not a network; pass a .safetensors, .pkl or .pt file",
    (0, b"\x89HDF"): f"an HDF5 file (Keras?); {_ONLY_OURS}",
    (0, b"\x1f\x8b"): "a gzip archive; unpack it first",
    (0, b"7z\xbc\xaf"): "a 7z archive; unpack it first",
    (257, b"ustar"): "a tar archive; unpack it first",
}


def refuse_foreign(path: Path) -> None:
    """Refuse a file that is not even in outline a safetensors file.

    Raises:
        CheckpointError: it cannot be read, or is something else; the message says what.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}); check its name and rights"
        ) from None
    header_bytes = int.from_bytes(head[:8], "little")
    # First of all, since a header's length may begin like a pickle or a zip.
    if head[8:9] == b"{" and header_bytes <= _MAX_HEADER_BYTES:
        return
    raise CheckpointError(f"{path.name}: {_describe(head)}")


def _describe(head: bytes) -> str:
    if not head:
        return "an empty file; copy or download it again"
    for (offset, magic), what in _SIGNATURES.items():
        if head[offset:].startswith(magic):
            return what
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return f"a pickle; {_ONLY_OURS}"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:15].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, not a network; the download was refused or needs a login, fetch it again"
    if _is_text(head):
        return "a text file, not a network; pass a .safetensors, .pkl or .pt file"
    return "no network file (.safetensors, .pkl or .pt), or a damaged one; copy or download it again"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if len(head) < _HEAD_BYTES or error.start < len(head) - 3:  # else the cut went through a character
            return False
        text = head[: error.start].decode()
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)
