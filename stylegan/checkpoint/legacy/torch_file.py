"""PyTorch's two file formats, and the small files inside pickled storages, read without torch's own loader.

The legacy format is five pickles (a magic number, a protocol, the machine, the object, the keys of the storages)
and then the storages, each an int64 count and raw numbers. `torch.storage._load_from_bytes`, through which every
pickled storage goes, takes such a file whose object is one storage; in torch that function unpickles whatever it is
given. The zip format keeps the object in `data.pkl` and each storage in a member of its own, not compressed.
"""

import io
import struct
import zipfile
from collections.abc import Mapping

from stylegan.checkpoint.legacy.bounds import DAMAGED, RefusedError, shown
from stylegan.checkpoint.legacy.machine import Table, read_pickle
from stylegan.checkpoint.legacy.records import Arguments, Global
from stylegan.checkpoint.legacy.source import Cursor, LatinSource, MemorySource, Source, Span
from stylegan.checkpoint.legacy.tensors import STORAGE_DTYPES, StorageRecord

__all__ = ["STORAGE_GLOBALS", "ZIP_MAGIC", "is_torch_file", "load_from_bytes", "read_torch_file"]

ZIP_MAGIC = b"PK\x03\x04"
"""How the zip format begins."""
STORAGE_GLOBALS: Table = {("torch", name): Global(name=f"torch.{name}") for name in STORAGE_DTYPES}
# The pickle of `_MAGIC`, the same in any torch.
_LEGACY_MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_MAX_DIRECTORY_BYTES = 2 << 20  # 20,000 members; a training's file has some 2,000
_MAX_PICKLE_BYTES = 64 << 20
_LOCAL_HEADER = struct.Struct("<4s22xHH")


def load_from_bytes(arguments: Arguments) -> StorageRecord:
    """The storage of `torch.storage._load_from_bytes(bytes)`.

    Raises:
        RefusedError: the bytes are anything but one storage.
    """
    blob = arguments[0] if len(arguments) == 1 else None
    if not isinstance(blob, Span) or blob.is_text:
        raise RefusedError(f"has a storage without bytes; {DAMAGED}")
    found = _read_legacy(blob, STORAGE_GLOBALS)
    if not isinstance(found, StorageRecord):
        raise RefusedError(f"has something else in place of a storage; {DAMAGED}")
    return found


def is_torch_file(source: Source) -> bool:
    """Whether a file begins as `torch.save` writes it, in either format."""
    return _begins(source, ZIP_MAGIC) or _begins(source, _LEGACY_MAGIC)


def read_torch_file(source: Source, table: Table) -> object:
    """Read a file of either format.

    Args:
        source: the file.
        table: the globals that its object may name, storages included.

    Returns:
        The object, with records for its tensors.

    Raises:
        RefusedError: it is not one, or asks for what it may not.
    """
    return _read_zip(source, table) if _begins(source, ZIP_MAGIC) else _read_legacy(source.whole(), table)


def _begins(source: Source, magic: bytes) -> bool:
    return source.size >= len(magic) and source.read(0, len(magic)) == magic


def _read_legacy(span: Span, table: Table) -> object:
    """Read a file of the legacy format, to its very end."""
    source = span.source
    # Text would be decoded anew for each of the many small readings.
    cursor = Cursor(source.loaded().whole() if isinstance(source, LatinSource) else span)
    if read_pickle(cursor, {}) != _MAGIC or read_pickle(cursor, {}) != _PROTOCOL:
        raise RefusedError(f"has a storage in an unknown form; {DAMAGED}")
    _check_machine(read_pickle(cursor, {}))
    storages: dict[str, StorageRecord] = {}
    found = read_pickle(cursor, table, lambda wanted: _storage(wanted, source, storages)[1])
    keys = read_pickle(cursor, {})
    if type(keys) is not list or len(keys) != len(storages) or not all(type(key) is str for key in keys):
        raise RefusedError(f"lists other storages than it has; {DAMAGED}")
    for key in keys:
        storage = storages.pop(key, None)
        if storage is None or int.from_bytes(cursor.take(8), "little") != storage.numel:
            raise RefusedError(f"has a storage of another size than it says; {DAMAGED}")
        storage.place(cursor.position)
        cursor.skip(storage.num_bytes)
    if cursor.left:
        raise RefusedError(f"has {cursor.left} bytes after its end; refused")
    return found


def _read_zip(source: Source, table: Table) -> object:
    """Read a file of the zip format."""
    members = _list_members(source)
    roots = [name.removesuffix("data.pkl") for name in members if name.endswith("/data.pkl")]
    if len(roots) != 1 or roots[0].count("/") != 1:
        raise RefusedError("a zip archive (a data set?), not a network; pass a network file")
    root = roots[0]
    if f"{root}constants.pkl" in members:
        raise RefusedError("a TorchScript program, not a checkpoint; only weights are read")
    if f"{root}byteorder" in members and _member(source, members[f"{root}byteorder"]).read() != b"little":
        raise RefusedError("was written on a big-endian machine; convert it there")
    pickled = _member(source, members[f"{root}data.pkl"])
    if pickled.length > _MAX_PICKLE_BYTES:
        raise RefusedError(f"has a data.pkl of more than {_MAX_PICKLE_BYTES >> 20} MiB; refused")
    storages: dict[str, StorageRecord] = {}

    def persistent_load(wanted: object) -> StorageRecord:
        key, storage = _storage(wanted, source, storages)
        if storage.start < 0:
            if f"{root}data/{key}" not in members:
                raise RefusedError(f"lacks the storage {shown(key)}; {DAMAGED}")
            data = _member(source, members[f"{root}data/{key}"])
            if data.length != storage.num_bytes:
                raise RefusedError(f"has a storage of another size than it says; {DAMAGED}")
            storage.place(data.start)
        return storage

    cursor = Cursor(MemorySource(pickled.read(), source.meter).whole())
    found = read_pickle(cursor, table, persistent_load)
    if cursor.left:
        raise RefusedError(f"has {cursor.left} bytes after the end of its pickle; refused")
    return found


def _check_machine(machine: object) -> None:
    if type(machine) is not dict or machine.get("little_endian") is not True:
        raise RefusedError("was written on a big-endian machine, or is damaged; convert or fetch it again")


def _storage(wanted: object, source: Source, storages: dict[str, StorageRecord]) -> tuple[str, StorageRecord]:
    """Key and storage of a persistent id `("storage", type, key, location, numel[, view])`."""
    if type(wanted) is not tuple or not 5 <= len(wanted) <= 6 or wanted[5:] not in ((), (None,)):
        raise RefusedError(f"refers to a storage in an unknown form; {DAMAGED}")
    tag, kind, key, _, numel = wanted[:5]
    if type(tag) is not str or tag != "storage" or type(key) is not str or not isinstance(kind, Global):
        raise RefusedError(f"refers to a storage in an unknown form; {DAMAGED}")
    dtype = STORAGE_DTYPES.get(kind.name.removeprefix("torch."))
    if dtype is None or type(numel) is not int or numel < 0:
        raise RefusedError(f"has a storage of an unknown type or size; {DAMAGED}")
    known = storages.setdefault(key, StorageRecord(source, numel, dtype))
    if known.dtype is not dtype or known.numel != numel:
        raise RefusedError(f"has one storage of two types or sizes; {DAMAGED}")
    return key, known


class _DirectoryFile:
    """A source as a file, for `zipfile` to read the directory of members from, which must be small."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._position = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._source.size}[whence]
        if base + offset < 0:
            raise OSError("before the beginning")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return True

    def read(self, length: int = -1) -> bytes:
        left = max(self._source.size - self._position, 0)
        length = left if length < 0 else min(length, left)
        if length > _MAX_DIRECTORY_BYTES:
            raise RefusedError(f"has a zip directory of more than {_MAX_DIRECTORY_BYTES >> 20} MiB; refused")
        data = self._source.read(self._position, length)
        self._position += length
        return data


def _list_members(source: Source) -> Mapping[str, zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(_DirectoryFile(source)) as opened:
            infos = opened.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OSError) as error:
        raise RefusedError(
            f"a zip archive cut short or damaged ({error}); download or copy it again"
        ) from None
    for info in infos:
        _check_name(info)
    members = {info.filename: info for info in infos}
    if len({name.lower() for name in members}) != len(infos):
        raise RefusedError("a zip archive with two members of one name; refused")
    return members


def _check_name(info: zipfile.ZipInfo) -> None:
    """Refuse names that mean one thing here and another elsewhere, or lead out of the archive."""
    name = info.orig_filename
    parts = name.split("/")
    if name != info.filename or "\\" in name or ":" in parts[0] or "" in parts[:-1] or ".." in parts:
        raise RefusedError(f"has a member called {shown(name)}, which PyTorch writes not; refused")


def _member(source: Source, info: zipfile.ZipInfo) -> Span:
    """Where the bytes of a member lie."""
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.compress_size != info.file_size:
        raise RefusedError(f"has a compressed member {shown(info.filename)}; PyTorch writes none, refused")
    if not 0 <= info.header_offset <= source.size:
        raise RefusedError(f"damaged at its member {shown(info.filename)}; fetch it again")
    signature, name, extra = _LOCAL_HEADER.unpack(source.read(info.header_offset, _LOCAL_HEADER.size))
    name_start = info.header_offset + _LOCAL_HEADER.size
    start = name_start + name + extra
    if signature != ZIP_MAGIC or info.file_size > source.size - start:
        raise RefusedError(f"damaged at its member {shown(info.filename)}; fetch it again")
    if source.read(name_start, name) != info.filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437"):
        raise RefusedError(f"calls its member {shown(info.filename)} otherwise at its beginning; refused")
    return Span(source, start, info.file_size)
