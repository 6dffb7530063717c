"""The zip file itself: its list of members, and their bytes at random.

The central directory is read once, by the standard library; members are then read with `os.pread` on one
file descriptor. `pread` moves no shared position, so threads and forked workers may use the same descriptor
at once, and a pickled `Container` opens its own. Each read is checked against the member's size and CRC.
"""

import os
import stat
import struct
import threading
import weakref
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylegan.archive.faults import FaultError
from stylegan.archive.lookalikes import HEAD_BYTES, identify

__all__ = ["MAX_MEMBER_BYTES", "Container", "Member"]

MAX_MEMBER_BYTES = 256 * 2**20  # an 8192×8192 RGB picture, uncompressed, is 192 MiB

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, …, name length, extra length
_SLACK = 64  # guess at the local extra field; a longer one costs a second read


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file in the zip, as the central directory tells it."""

    name: str
    offset: int
    """Where its local header starts, in bytes."""
    stored_bytes: int
    """Size as it lies in the zip."""
    num_bytes: int
    """Size once unpacked."""
    method: int
    """0 stored, 8 deflated."""
    crc: int
    is_encrypted: bool


class Container:
    """An open zip: `members` by name, in the order of the central directory, and `read`.

    Args:
        path: the zip file.

    Raises:
        FaultError: it is no zip, or a damaged one; the fault says which.
        OSError: it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.duplicates: tuple[str, ...] = ()
        self.members: dict[str, Member] = self._list_members()
        self._open()

    def read(self, name: str) -> bytes:
        """The bytes of a member, unpacked.

        Raises:
            FaultError: it is encrypted, neither stored nor deflated, too large, or damaged.
        """
        member = self.members[name]
        _refuse_unreadable(member)
        raw = self._read_stored(member)
        if member.method == zipfile.ZIP_DEFLATED:
            raw = _inflate(raw, member)
        if len(raw) != member.num_bytes or zlib.crc32(raw) != member.crc:
            raise FaultError(
                "damaged", "damaged (its checksum does not match); make or download it again", name
            )
        return raw

    def close(self) -> None:
        """Give the file descriptor back; reading afterwards is an error. Happens by itself in the end."""
        self._closer()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "duplicates": self.duplicates, "members": self.members}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def _list_members(self) -> dict[str, Member]:
        if not self.path.exists():
            raise FaultError("missing", "no such file")
        if not stat.S_ISREG(self.path.stat().st_mode):
            raise FaultError(
                "not-a-file", "not a file; make a zip of a folder with `bend package FOLDER -o OUT.zip`"
            )
        try:
            with zipfile.ZipFile(self.path) as opened:
                infos = [info for info in opened.infolist() if not info.is_dir()]
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, EOFError) as error:
            raise _no_zip(self.path, error) from None
        members = {info.filename: _member(info) for info in infos}
        counts = Counter(info.filename for info in infos)
        self.duplicates = tuple(sorted(name for name, count in counts.items() if count > 1))
        return members

    def _open(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._closer = weakref.finalize(self, os.close, descriptor)

    def _read_stored(self, member: Member) -> bytes:
        guess = _LOCAL_HEADER.size + len(member.name.encode()) + _SLACK
        block = self._pread(guess + member.stored_bytes, member.offset)
        if len(block) < _LOCAL_HEADER.size or not block.startswith(b"PK\x03\x04"):
            raise FaultError("damaged", "damaged (its header is not where the zip says)", member.name)
        _, name_length, extra_length = _LOCAL_HEADER.unpack_from(block)
        start = _LOCAL_HEADER.size + name_length + extra_length
        if start > guess:
            return self._pread(member.stored_bytes, member.offset + start)
        return block[start : start + member.stored_bytes]

    def _pread(self, num_bytes: int, offset: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._descriptor, num_bytes, offset)
        with self._lock:  # Windows: no pread, and no fork to share the position with
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            return os.read(self._descriptor, num_bytes)


def _no_zip(path: Path, error: Exception) -> FaultError:
    """The fault of a file that the zip reader gave up on with `error`."""
    with path.open("rb") as file:
        found = identify(file.read(HEAD_BYTES))
    if found.kind == "zip":
        reason = str(error) or type(error).__name__
        return FaultError("truncated", f"a truncated or damaged zip ({reason}); make or download it again")
    return FaultError(found.kind, f"{found.what}, not a zip" + (f"; {found.mend}" if found.mend else ""))


def _member(info: zipfile.ZipInfo) -> Member:
    return Member(
        name=info.filename,
        offset=info.header_offset,
        stored_bytes=info.compress_size,
        num_bytes=info.file_size,
        method=info.compress_type,
        crc=info.CRC,
        is_encrypted=bool(info.flag_bits & 0x1),
    )


def _refuse_unreadable(member: Member) -> None:
    if member.is_encrypted:
        raise FaultError("encrypted", "encrypted; unpack it with its password first", member.name)
    if member.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FaultError(
            "method", f"packed by zip method {member.method}; pack it again stored or deflated", member.name
        )
    if max(member.num_bytes, member.stored_bytes) > MAX_MEMBER_BYTES:
        raise FaultError(
            "too-large",
            f"{member.num_bytes:,} bytes, more than the {MAX_MEMBER_BYTES:,} allowed",
            member.name,
        )


def _inflate(raw: bytes, member: Member) -> bytes:
    """Unpack, but never past the size the directory claims: what holds more is no honest zip."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, member.num_bytes + 1)
    except zlib.error:
        raise FaultError("damaged", "damaged (cannot be unpacked)", member.name) from None
