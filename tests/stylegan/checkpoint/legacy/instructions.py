"""Pickles written instruction by instruction, for files that no pickler would write."""

import io
import pickle
import struct
import zipfile
from collections.abc import Iterable, Sequence

import torch

COMMAND = "touch canary"


def text(value: str) -> bytes:
    """BINUNICODE."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def blob(value: bytes) -> bytes:
    """BINBYTES."""
    return b"B" + struct.pack("<I", len(value)) + value


def name(module: str, member: str) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{member}\n".encode()


def stack_name(module: bytes, member: bytes) -> bytes:
    """STACK_GLOBAL with the names that two programs push."""
    return module + member + b"\x93"


def call(function: bytes, *arguments: bytes) -> bytes:
    """REDUCE."""
    return function + b"(" + b"".join(arguments) + b"tR"


def whole(program: bytes, protocol: int = 4) -> bytes:
    """A pickle that runs a program and ends."""
    return bytes([0x80, protocol]) + program + b"."


def storage(numel: int = 4, kind: str = "FloatStorage", data: bytes = bytes(16), tail: bytes = b"") -> bytes:
    """What `_load_from_bytes` takes, correct except for what the arguments change."""
    return torch_file(storage_id(numel, kind), [("0", numel, data)]) + tail


def storage_id(numel: int, kind: str) -> bytes:
    """The persistent id of a storage."""
    return b"(" + text("storage") + name("torch", kind) + text("0") + text("cpu") + number(numel) + b"NtQ"


def torch_file(root: bytes, storages: Sequence[tuple[str, int, bytes]] = (), machine: bytes = b"") -> bytes:
    """The legacy format of torch."""
    parts = [
        pickle.dumps(0x1950A86A20F9469CFC6C, 2),
        pickle.dumps(1001, 2),
        machine or pickle.dumps({"little_endian": True}, 2),
        whole(root, 2),
        pickle.dumps([key for key, _, _ in storages], 2),
        *(struct.pack("<q", numel) + data for _, numel, data in storages),
    ]
    return b"".join(parts)


def number(value: int) -> bytes:
    """LONG1."""
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def numbers(values: Iterable[int]) -> bytes:
    """A tuple of numbers."""
    return b"(" + b"".join(map(number, values)) + b"t"


LOAD = name("torch.storage", "_load_from_bytes")
REBUILD = name("torch._utils", "_rebuild_tensor_v2")
ORDERED = name("collections", "OrderedDict")
EASY = name("dnnlib.util", "EasyDict")
DTYPE = call(name("numpy", "dtype"), text("f4"), b"\x89", b"\x88")
OS = name("os", "system")
EVIL = call(OS, text(COMMAND))


def tensor(offset: int, shape: Iterable[int], stride: Iterable[int], inner: bytes = b"") -> bytes:
    """`_rebuild_tensor_v2` on a storage of four numbers."""
    arguments = (number(offset), numbers(shape), numbers(stride), b"\x89", call(ORDERED))
    return call(REBUILD, call(LOAD, blob(inner or storage())), *arguments)


def array(shape: bytes, dtype: bytes = DTYPE, data: bytes = b"C\x04abcd") -> bytes:
    """A numpy array, set up by BUILD."""
    made = call(
        name("numpy.core.multiarray", "_reconstruct"), name("numpy", "ndarray"), b"K\x00\x85", b"C\x01b"
    )
    return made + b"(K\x01" + shape + dtype + b"\x89" + data + b"tb"


def torch_zip(program: bytes) -> bytes:
    """A zip of torch's whose `data.pkl` is a program."""
    buffer = io.BytesIO()
    torch.save({}, buffer)
    with zipfile.ZipFile(io.BytesIO(buffer.getvalue())) as opened:
        members = {member: opened.read(member) for member in opened.namelist()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, whole(program, 2) if member.endswith("data.pkl") else data)
    return out.getvalue()
