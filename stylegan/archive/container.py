"""The zip file itself: its list of members, and their bytes at random.

The central directory is read once, into arrays (`directory`); members are then read with `os.pread` on one file
descriptor (`random_file`). So threads and forked workers may read at once, and a pickled `Container` opens its own.
Each read is checked against the member's size and CRC.
"""

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from stylegan.archive.directory import read_directory
from stylegan.archive.faults import FaultError
from stylegan.archive.members import Member, Members
from stylegan.archive.random_file import RandomFile
from stylegan.lookalikes import HEAD_BYTES, identify

__all__ = ["MAX_MEMBER_BYTES", "Container", "Member"]

MAX_MEMBER_BYTES = 256 * 2**20  # an 8192×8192 RGB picture, uncompressed, is 192 MiB

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, …, name length, extra length
_SLACK = 64  # guess at the local extra field; a longer one costs a second read
_PIECE = 2**20


class Container:
    """An open zip: `members` by name, in the order of the central directory, and `read`.

    Args:
        path: the zip file.

    Raises:
        FaultError: it is not a zip, or is damaged; the fault says which.
        OSError: it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise FaultError("missing", "no such file")
        if not stat.S_ISREG(self.path.stat().st_mode):
            raise FaultError(
                "not-a-file", "not a file; make a zip of a folder with `bend package FOLDER -o OUT.zip`"
            )
        self._file = RandomFile(self.path)
        self.members: Members = self._list_members()

    def read(self, name: str) -> bytes:
        """The bytes of a member, unpacked.

        Raises:
            FaultError: it is encrypted, neither stored nor deflated, too large, or damaged.
        """
        return self._read(self.members[name])

    def read_row(self, row: int) -> bytes:
        """As `read`, of member `row` of the directory."""
        return self._read(self.members.member(row))

    def stream(self, name: str) -> Iterator[bytes]:
        """The bytes of a member piece by piece, of whatever size it is.

        Raises:
            FaultError: as `read`; a wrong checksum shows at the end.
        """
        member = self.members[name]
        _refuse_method(member)
        pieces = self._stored_pieces(member)
        if member.method == zipfile.ZIP_DEFLATED:
            pieces = _inflated_pieces(pieces, member)
        num_bytes, crc = 0, 0
        for piece in pieces:
            num_bytes, crc = num_bytes + len(piece), zlib.crc32(piece, crc)
            if num_bytes > member.num_bytes:  # more than it says: a zip bomb, perhaps
                raise _damaged(member)
            yield piece
        if num_bytes != member.num_bytes or crc != member.crc:
            raise _damaged(member)

    def close(self) -> None:
        """Close the file, after which reading is an error; this also happens by itself on garbage collection."""
        self._file.close()

    def _list_members(self) -> Members:
        try:
            return read_directory(self._file, self.path.stat().st_size)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise _no_zip(self.path, error) from None

    def _read(self, member: Member) -> bytes:
        _refuse_unreadable(member)
        raw = self._read_stored(member)
        if member.method == zipfile.ZIP_DEFLATED:
            raw = _inflate(raw, member)
        if len(raw) != member.num_bytes or zlib.crc32(raw) != member.crc:
            raise _damaged(member)
        return raw

    def _read_stored(self, member: Member) -> bytes:
        guess = _LOCAL_HEADER.size + len(member.name.encode()) + _SLACK
        block = self._file.read(guess + member.stored_bytes, member.offset)
        start = _start_in(block, member)
        if start > guess:
            return self._file.read(member.stored_bytes, member.offset + start)
        return block[start : start + member.stored_bytes]

    def _stored_pieces(self, member: Member) -> Iterator[bytes]:
        header = self._file.read(_LOCAL_HEADER.size, member.offset)
        at, left = member.offset + _start_in(header, member), member.stored_bytes
        while left:
            piece = self._file.read(min(_PIECE, left), at)
            if not piece:
                raise _damaged(member)
            at, left = at + len(piece), left - len(piece)
            yield piece


def _start_in(block: bytes, member: Member) -> int:
    """How far after the beginning of its local header a member's bytes begin."""
    if len(block) < _LOCAL_HEADER.size or not block.startswith(b"PK\x03\x04"):
        raise FaultError("damaged", "damaged (its header is not where the zip says)", member.name)
    _, name_length, extra_length = _LOCAL_HEADER.unpack_from(block)
    return _LOCAL_HEADER.size + name_length + extra_length


def _no_zip(path: Path, error: Exception) -> FaultError:
    """The fault of a file that the zip reader gave up on with `error`."""
    with path.open("rb") as file:
        found = identify(file.read(HEAD_BYTES))
    if found.kind == "zip":
        reason = str(error) or type(error).__name__
        return FaultError("truncated", f"a truncated or damaged zip ({reason}); make or download it again")
    return FaultError(found.kind, f"{found.what}, not a zip" + (f"; {found.mend}" if found.mend else ""))


def _damaged(member: Member) -> FaultError:
    return FaultError(
        "damaged", "damaged (its checksum does not match); make or download it again", member.name
    )


def _refuse_unreadable(member: Member) -> None:
    _refuse_method(member)
    if max(member.num_bytes, member.stored_bytes) > MAX_MEMBER_BYTES:
        raise FaultError(
            "too-large",
            f"{member.num_bytes:,} bytes, more than the {MAX_MEMBER_BYTES:,} allowed",
            member.name,
        )


def _refuse_method(member: Member) -> None:
    if member.is_encrypted:
        raise FaultError("encrypted", "encrypted; unpack it with its password first", member.name)
    if member.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FaultError(
            "method", f"packed by zip method {member.method}; pack it again stored or deflated", member.name
        )


def _inflate(raw: bytes, member: Member) -> bytes:
    """Unpack, but not far past the size that the directory claims: a zip bomb holds more."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw, member.num_bytes + 1)
    except zlib.error:
        raise FaultError("damaged", "damaged (cannot be unpacked)", member.name) from None


def _inflated_pieces(pieces: Iterator[bytes], member: Member) -> Iterator[bytes]:
    """The pieces unpacked, at most `_PIECE` bytes at a time."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for packed in pieces:
            left = packed
            while left:
                yield inflater.decompress(left, _PIECE)
                left = inflater.unconsumed_tail
        yield inflater.flush()  # what the last piece held beyond its limit: a few kilobytes at most
    except zlib.error:
        raise FaultError("damaged", "damaged (cannot be unpacked)", member.name) from None
