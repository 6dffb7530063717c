"""Zips like those of `torch.save` that mean one thing to a scanner and another to a loader, or are bombs.

A sound rosinality file is taken apart into its members and written anew, byte by byte where `zipfile` would refuse.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

from tests.stylegan.checkpoint.legacy.instructions import COMMAND, call, name, text, whole

__all__ = ["HARMLESS", "TRICKS", "members_of", "plain_zip"]

_EVIL = whole(call(name("os", "system"), text(COMMAND)), 2)
Members = Mapping[str, bytes]


def members_of(data: bytes) -> dict[str, bytes]:
    """The members of a zip by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return {member: opened.read(member) for member in opened.namelist()}


def plain_zip(
    members: Members,
    *,
    local: Mapping[str, bytes] | None = None,
    central: Mapping[str, bytes] | None = None,
    offsets: Mapping[str, int] | None = None,
    sizes: Mapping[str, int] | None = None,
    unpacked: Mapping[str, int] | None = None,
    flags: int = 0,
    method: int = 0,
    crc: int = 0,
) -> bytes:
    """A zip whose directory may contradict its members.

    Args:
        members: data by name.
        local: what a member is called in its local header, where that is not its name.
        central: what it is called in the directory.
        offsets: where the directory says that it begins.
        sizes: how long the directory says that it is.
        unpacked: how long a deflated member is once unpacked; its data is given packed.
        flags: of all members.
        method: of compression, claimed for all members.
        crc: checksum, claimed for all members.
    """
    body, directory = bytearray(), bytearray()
    for member, data in members.items():
        start = (offsets or {}).get(member, len(body)) & 0xFFFFFFFF
        size = (sizes or {}).get(member, len(data))
        full = (unpacked or {}).get(member, size)
        packing = 8 if member in (unpacked or {}) else method
        called = (local or {}).get(member, member.encode())
        listed = (central or {}).get(member, member.encode())
        head = (b"PK\3\4", 20, flags, packing, 0, 0, crc, len(data), full, len(called), 0)
        body += struct.pack("<4s5H3L2H", *head) + called + data
        entry = (b"PK\1\2", 20, 20, flags, packing, 0, 0, crc, size, full, len(listed), *(0,) * 5, start)
        directory += struct.pack("<4s6H3L5H2L", *entry) + listed
    end = (b"PK\5\6", 0, 0, len(members), len(members), len(directory), len(body), 0)
    return bytes(body + directory) + struct.pack("<4s4H2LH", *end)


def _root(members: Members) -> str:
    return next(member for member in members if member.endswith("/data.pkl")).removesuffix("data.pkl")


def _storage(members: Members) -> str:
    return f"{_root(members)}data/0"


def _deflated(members: Members) -> bytes:
    """A storage of two gigabytes in two megabytes."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    block = packer.compress(bytes(8 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = {**members, _storage(members): block * 256 + b"\x03\x00"}
    return plain_zip(packed, unpacked={_storage(members): 256 * (8 << 20)})


TRICKS: dict[str, Callable[[Members], bytes]] = {
    "evil-root": lambda m: plain_zip({**m, f"{_root(m)}data.pkl": _EVIL}),
    "second-root": lambda m: plain_zip({**m, "evil/data.pkl": _EVIL}),
    "second-root-first": lambda m: plain_zip({"evil/data.pkl": _EVIL, **m}),
    "duplicate": lambda m: plain_zip({**m, "x": _EVIL}, central={"x": f"{_root(m)}data.pkl".encode()}),
    "duplicate-by-case": lambda m: plain_zip({**m, f"{_root(m)}DATA.PKL": _EVIL}),
    "local-name": lambda m: plain_zip(m, local={f"{_root(m)}data.pkl": f"{_root(m)}safe.txt".encode()}),
    "local-name-storage": lambda m: plain_zip(m, local={_storage(m): b"evil.pkl"}),
    "swapped-names": lambda m: plain_zip(
        {**m, "evil/x.txt": _EVIL},
        central={f"{_root(m)}data.pkl": b"evil/x.txt", "evil/x.txt": f"{_root(m)}data.pkl".encode()},
    ),
    "nul-in-name": lambda m: plain_zip({**m, "x": _EVIL}, central={"x": b"evil/data.pkl\0.txt"}),
    "climbing": lambda m: plain_zip({**m, "../../canary": _EVIL}),
    "absolute": lambda m: plain_zip({**m, "/tmp/canary": _EVIL}),
    "drive": lambda m: plain_zip({**m, "C:/canary": _EVIL}),
    "backslashes": lambda m: plain_zip({**m, "..\\..\\canary": _EVIL}),
    "escapes-in-name": lambda m: plain_zip({**m, "x": b""}, central={"x": b"a\x1b[2J/../\x07"}),
    "deep-root": lambda m: plain_zip({f"a/b/{member}": data for member, data in m.items()}),
    "no-root": lambda m: plain_zip({"evil.pkl": _EVIL}),
    "program": lambda m: plain_zip({**m, f"{_root(m)}constants.pkl": _EVIL}),
    "encrypted": lambda m: plain_zip(m, flags=1),
    "method-bzip2": lambda m: plain_zip(m, method=12),
    "method-unknown": lambda m: plain_zip(m, method=99),
    "deflated-2gib": _deflated,
    "offset-beyond": lambda m: plain_zip(m, offsets={_storage(m): 2**31}),
    "offset-4gib": lambda m: plain_zip(m, offsets={f"{_root(m)}data.pkl": 2**32 - 2}),
    "offset-into-another": lambda m: plain_zip(m, offsets={_storage(m): 7}),
    "size-2gib": lambda m: plain_zip(m, sizes={_storage(m): 2**31 - 1}),
    "size-4gib": lambda m: plain_zip(m, sizes={f"{_root(m)}data.pkl": 2**32 - 2}),
    "size-of-less": lambda m: plain_zip(m, sizes={_storage(m): 1}),
    "storage-is-a-zip": lambda m: plain_zip({**m, _storage(m): plain_zip({"evil/data.pkl": _EVIL})}),
    "many-members": lambda m: plain_zip({**m, **{f"archive/data/x{i}": b"" for i in range(60_000)}}),
    "cut-directory": lambda m: plain_zip(m)[:-30],
    "end-lies": lambda m: plain_zip(m)[:-10] + struct.pack("<LLH", 2**32 - 2, 2**32 - 2, 0),
}
"""All of these are refused."""
HARMLESS: dict[str, Callable[[Members], bytes]] = {
    "rewritten": plain_zip,
    "checksums": lambda m: plain_zip(m, crc=0xDEADBEEF),
    "pickle-beside": lambda m: plain_zip({**m, f"{_root(m)}evil.pkl": _EVIL, f"{_root(m)}data/x": _EVIL}),
    "code-beside": lambda m: plain_zip(
        {**m, f"{_root(m)}code/__torch__.py": b"import os; os.system('touch canary')"}
    ),
    "weights-are-a-pickle": lambda m: plain_zip({**m, _storage(m): _EVIL.ljust(len(m[_storage(m)]), b"\0")}),
}
"""These are loaded as what they are, with nothing run."""
