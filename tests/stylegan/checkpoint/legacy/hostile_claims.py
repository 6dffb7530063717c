"""Pickles that lie about sizes, shapes and types. All must be refused."""

import pickle
import struct

import numpy as np

from tests.stylegan.checkpoint.legacy.instructions import (
    DTYPE,
    LOAD,
    REBUILD,
    array,
    blob,
    call,
    name,
    number,
    numbers,
    storage,
    tensor,
    text,
    whole,
)


def _pickled_array(values: object, protocol: int = 4) -> bytes:
    return pickle.dumps(values, protocol)


CLAIMS: dict[str, bytes] = {
    "offset": whole(tensor(1, [4], [1])),
    "offset-huge": whole(tensor(2**62, [1], [1])),
    "offset-negative": whole(tensor(-1, [1], [1])),
    "stride": whole(tensor(0, [2, 2], [3, 1])),
    "stride-wraps": whole(tensor(0, [2, 2], [2**63, 2**63])),
    "stride-wraps-to-0": whole(tensor(0, [3], [2**63])),
    "stride-negative": whole(tensor(3, [4], [-1])),
    "size-negative": whole(tensor(0, [-4], [1])),
    "size-huge": whole(tensor(0, [2**40], [1])),
    "size-true": whole(
        call(REBUILD, call(LOAD, blob(storage())), b"K\x00", b"\x88\x85", b"\x88\x85", b"\x89", b"}")
    ),
    "dimensions": whole(tensor(0, [1] * 9, [1] * 9)),
    "dimensions-many": whole(tensor(0, [1] * 5000, [1] * 5000)),
    "rank-mismatch": whole(tensor(0, [4], [1, 1])),
    "no-storage": whole(call(REBUILD, text("x"), b"K\x00", numbers([1]), numbers([1]), b"\x89", b"}")),
    "few-arguments": whole(call(REBUILD, b"N")),
    "numel": whole(tensor(0, [4], [1], storage(numel=2**40))),
    "numel-wraps": whole(tensor(0, [4], [1], storage(numel=2**62))),
    "numel-negative": whole(tensor(0, [0], [1], storage(numel=-1))),
    "no-storage-file": whole(tensor(0, [1], [1], b"x" * 300)),
    "short-data": whole(tensor(0, [4], [1], storage(data=bytes(12)))),
    "unknown-storage": whole(tensor(0, [4], [1], storage(kind="ComplexFloatStorage", data=bytes(32)))),
    "quantised-storage": whole(tensor(0, [4], [1], storage(kind="QInt8Storage", data=bytes(4)))),
    "parameter-of-text": whole(call(name("torch._utils", "_rebuild_parameter"), text("x"), b"\x88", b"}")),
    "object-array": _pickled_array(np.array([{}, []], dtype=object)),
    "object-array-2": _pickled_array(np.array([{}, []], dtype=object), 2),
    "record-array": _pickled_array(np.zeros(3, dtype=[("a", "f4")])),
    "text-array": _pickled_array(np.array(["a", "bc"])),
    "date-array": _pickled_array(np.array(["2020-01-01"], dtype="datetime64[D]")),
    "subclass-array": _pickled_array(np.ma.zeros(3)),
    "array-size": whole(array(number(2**40) + b"\x85")),
    "array-size-wraps": whole(array(number(2**63) + number(2**63) + b"\x86")),
    "array-negative": whole(array(number(-1) + b"\x85")),
    "array-no-dtype": whole(array(b"K\x01\x85", dtype=b"N")),
    "array-text": whole(array(b"K\x01\x85", data=text("abcd"))),
    "scalar-object": whole(call(name("numpy.core.multiarray", "scalar"), text("O"), b"C\x08" + bytes(8))),
    "scalar-short": whole(call(name("numpy.core.multiarray", "scalar"), DTYPE, b"C\x02ab")),
    "bytes-2gib": whole(b"B" + struct.pack("<I", 2**31 - 1)),
    "bytes-4gib": whole(b"B" + struct.pack("<I", 2**32 - 1)),
    "bytes8": whole(b"\x8e" + struct.pack("<Q", 2**31)),
    "bytes8-wraps": whole(b"\x8e" + struct.pack("<Q", 2**64 - 1)),
    "bytearray8": whole(b"\x96" + struct.pack("<Q", 2**31), 5),
    "text-2gib": whole(b"X" + struct.pack("<I", 2**31)),
    "text8": whole(b"\x8d" + struct.pack("<Q", 2**62)),
    "long4": whole(b"\x8b" + struct.pack("<i", 2**31 - 1)),
    "binstring": whole(b"T" + struct.pack("<i", 2**31 - 1)),
    "frame": b"\x80\x04\x95" + struct.pack("<Q", 2**63) + b"N.",
    "frame-2gib": b"\x80\x04\x95" + struct.pack("<Q", 2**31) + b"N.",
    "memo-index": b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b".",
    "memo-missing": b"\x80\x02j" + struct.pack("<I", 2**32 - 1) + b".",
    "protocol-0": b"\x80\x00N.",
    "protocol-9": b"\x80\x02\x80\x09N.",
    "empty": b"\x80\x02.",
    "underflow": b"\x80\x02\x85.",
    "pop-underflow": b"\x80\x020.",
    "mark-underflow": b"\x80\x02t.",
    "set-underflow": b"\x80\x02NNs.",
    "left-over": b"\x80\x02NN.",
    "open-mark": b"\x80\x02(N.",
    "no-stop": b"\x80\x02N",
    "name-without-end": b"\x80\x02c" + b"a" * 10_000,
    "name-not-utf8": b"\x80\x02c\xff\xfe\nsystem\n.",
    "text-not-utf8": b"\x80\x02X\x02\x00\x00\x00\xff\xfe.",
    "no-instruction": b"\x80\x02\xff.",
}
