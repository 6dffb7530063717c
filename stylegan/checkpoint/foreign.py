"""Refusing a file that is not a safetensors file, by its first bytes.

A file that passes begins like a safetensors file, with a header of sane size; nothing else has been checked.
"""

from pathlib import Path

from stylegan.errors import CheckpointError
from stylegan.lookalikes import HEAD_BYTES, identify

__all__ = ["refuse_foreign"]

# A network of 1024 pixels takes some 60 kB; the library would read and parse up to 100 MB.
_MAX_HEADER_BYTES = 4 << 20
_MEND = "pass a .safetensors, .pkl or .pt file that holds one"


def refuse_foreign(path: Path) -> None:
    """Refuse a file that is not even in outline a safetensors file.

    Raises:
        CheckpointError: it cannot be read, or is something else; the message says what.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
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
    found = identify(head)
    if found.kind == "unknown":
        return "no network file (.safetensors, .pkl or .pt), or a damaged one; copy or download it again"
    return f"{found.what}, not a network; {found.mend or _MEND}"
