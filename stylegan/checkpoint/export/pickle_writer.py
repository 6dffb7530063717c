"""A writer of the few things that an official network pickle is made of.

Python's own pickler would need the official tools' modules to be importable, since it looks up every global that it
writes. This one writes names as text, and tensors straight from memory to the file. The opcodes are those of pickle
protocol 4 (PEP 3154); text and globals that recur are written once.
"""

import io
import struct
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, BinaryIO

import torch
from torch import Tensor

__all__ = ["Call", "Global", "New", "Ordered", "Raw", "write_pickle"]

_PROTOCOL = 4
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # of the small files that torch turns storages into
_LEGACY_PROTOCOL = 1001
_MACHINE = {
    "protocol_version": _LEGACY_PROTOCOL,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}


@dataclass(frozen=True, slots=True)
class Global:
    """A class or function, by name."""

    module: str
    name: str


_ORDERED_DICT = Global("collections", "OrderedDict")


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """What calling a global returns, once it is read."""

    function: Global
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class New:
    """An instance of a dictionary's subclass, made without arguments, and its items."""

    kind: Global
    items: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """An ordered dictionary, as torch's modules keep their parts in."""

    items: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """Bytes in a few pieces, none of which is copied."""

    pieces: tuple[bytes | memoryview, ...]


def write_pickle(file: BinaryIO, value: Any) -> None:
    """Write a pickle.

    Args:
        file: where to.
        value: None, bool, int, float, str, containers of these, float32 tensors (`Parameter`s become such), and the
            records of this module.

    Raises:
        TypeError: something else.
        OSError: the disk is full.
    """
    file.write(bytes([0x80, _PROTOCOL]))
    _Writer(file).put(value)
    file.write(b".")


class _Writer:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._memo: dict[str | Global, int] = {}

    def put(self, value: Any) -> None:
        match value:
            case None:
                self._file.write(b"N")
            case bool():
                self._file.write(b"\x88" if value else b"\x89")
            case int():
                self._put_int(value)
            case float():
                self._file.write(b"G" + struct.pack(">d", value))
            case str() | Global():
                self._put_once(value)
            case Tensor():
                self.put(_rebuilt(value))
            case Raw():
                self._put_raw(value)
            case Call() | New() | Ordered():
                self._put_object(value)
            case _:
                self._put_container(value)

    def _put_object(self, value: Call | New | Ordered) -> None:
        match value:
            case Call():
                self.put(value.function)
                self.put(value.arguments)
                self._file.write(b"R")
            case New():
                self.put(value.kind)
                self._file.write(b")\x81")
                self._put_items(value.items)
            case Ordered():
                self.put(Call(_ORDERED_DICT, ()))
                self._put_items(value.items)

    def _put_container(self, value: Any) -> None:
        match value:
            case Mapping():
                self._file.write(b"}")
                self._put_items(value)
            case list():
                self._put_marked(b"](", value, b"e")
            case tuple():
                self._put_marked(b"(", value, b"t")
            case Set():
                self._put_marked(b"\x8f(", sorted(value), b"\x90")
            case _:
                raise TypeError(f"cannot write a {type(value).__name__}")

    def _put_marked(self, opening: bytes, items: Iterable[Any], closing: bytes) -> None:
        self._file.write(opening)
        for item in items:
            self.put(item)
        self._file.write(closing)

    def _put_raw(self, value: Raw) -> None:
        size = sum(len(piece) for piece in value.pieces)
        self._file.write(
            b"B" + struct.pack("<I", size) if size < 2**32 else b"\x8e" + struct.pack("<Q", size)
        )
        for piece in value.pieces:
            self._file.write(piece)

    def _put_items(self, items: Mapping[str, Any]) -> None:
        self._file.write(b"(")
        for key, item in items.items():
            self.put(key)
            self.put(item)
        self._file.write(b"u")

    def _put_int(self, value: int) -> None:
        if -(2**31) <= value < 2**31:
            self._file.write(b"J" + struct.pack("<i", value))
        else:
            data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            self._file.write(b"\x8a" + bytes([len(data)]) + data)

    def _put_once(self, value: str | Global) -> None:
        if value in self._memo:
            self._file.write(b"j" + struct.pack("<I", self._memo[value]))
            return
        if isinstance(value, Global):
            self._put_once(value.module)
            self._put_once(value.name)
            self._file.write(b"\x93")
        else:
            data = value.encode()
            self._file.write(b"X" + struct.pack("<I", len(data)) + data)
        self._memo[value] = len(self._memo)
        self._file.write(b"\x94")


def _rebuilt(tensor: Tensor) -> Call:
    """A tensor as torch pickles it outside of its own files: storage bytes, and how to lay a tensor over them."""
    values = tensor.detach().to("cpu", torch.float32).contiguous()
    data = values.reshape(-1).numpy().view("u1").data
    storage = Call(Global("torch.storage", "_load_from_bytes"), (Raw((_storage_head(values.numel()), data)),))
    layout = (storage, 0, tuple(values.shape), tuple(values.stride()), False, Ordered({}))  # last: no hooks
    return Call(Global("torch._utils", "_rebuild_tensor_v2"), layout)


def _storage_head(numel: int) -> bytes:
    """What precedes the numbers in the legacy torch file of one float storage."""
    head = io.BytesIO()
    identity = ("storage", Global("torch", "FloatStorage"), "0", "cpu", numel, None)
    for part in (_LEGACY_MAGIC, _LEGACY_PROTOCOL, _MACHINE):
        write_pickle(head, part)
    head.write(bytes([0x80, _PROTOCOL]))
    _Writer(head).put(identity)
    head.write(b"Q.")
    write_pickle(head, ["0"])
    head.write(struct.pack("<q", numel))
    return head.getvalue()
