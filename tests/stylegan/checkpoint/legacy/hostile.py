"""Pickles made to do harm, written instruction by instruction: every known trick that runs code or eats memory.

`CODE` holds those that would run `touch canary`, `CLAIMS` those that lie about sizes and shapes, `BOMBS` those that
would take time or memory without end, made when asked for. All must be refused.
"""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch

COMMAND = "touch canary"
_PYTHON = "import os; os.system('touch canary')"


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
    """STACK_GLOBAL of what two programs push."""
    return module + member + b"\x93"


def call(function: bytes, *arguments: bytes) -> bytes:
    """REDUCE."""
    return function + b"(" + b"".join(arguments) + b"tR"


def whole(program: bytes, protocol: int = 4) -> bytes:
    """A pickle that runs a program and ends."""
    return bytes([0x80, protocol]) + program + b"."


def storage(numel: int = 4, kind: str = "FloatStorage", data: bytes = bytes(16), tail: bytes = b"") -> bytes:
    """What `_load_from_bytes` takes, as it should be but for what is asked."""
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


_LOAD = name("torch.storage", "_load_from_bytes")
_REBUILD = name("torch._utils", "_rebuild_tensor_v2")
_ORDERED = name("collections", "OrderedDict")
_EASY = name("dnnlib.util", "EasyDict")
_DTYPE = call(name("numpy", "dtype"), text("f4"), b"\x89", b"\x88")
_OS = name("os", "system")
_EVIL = call(_OS, text(COMMAND))
_SET_ATTRIBUTES = b"}" + text("__reduce__") + _OS + b"s"


def tensor(offset: int, shape: Iterable[int], stride: Iterable[int], inner: bytes = b"") -> bytes:
    """`_rebuild_tensor_v2` on a storage of four numbers."""
    arguments = (number(offset), numbers(shape), numbers(stride), b"\x89", call(_ORDERED))
    return call(_REBUILD, call(_LOAD, blob(inner or storage())), *arguments)


def array(shape: bytes, dtype: bytes = _DTYPE, data: bytes = b"C\x04abcd") -> bytes:
    """A numpy array, set up by BUILD."""
    made = call(
        name("numpy.core.multiarray", "_reconstruct"), name("numpy", "ndarray"), b"K\x00\x85", b"C\x01b"
    )
    return made + b"(K\x01" + shape + dtype + b"\x89" + data + b"tb"


_CALLS = {
    ("os", "system"): COMMAND,
    ("posix", "system"): COMMAND,
    ("nt", "system"): COMMAND,
    ("os", "popen"): COMMAND,
    ("builtins", "eval"): f"__import__('os').system('{COMMAND}')",
    ("builtins", "exec"): _PYTHON,
    ("__builtin__", "exec"): _PYTHON,
    ("builtins", "__import__"): "os",
    ("builtins", "open"): "canary",
    ("subprocess", "getoutput"): COMMAND,
    ("commands", "getoutput"): COMMAND,
    ("pty", "spawn"): COMMAND,
    ("runpy", "run_path"): "evil.py",
    ("importlib", "import_module"): "evil",
    ("pickle", "loads"): "evil",
    ("_pickle", "loads"): "evil",
    ("marshal", "loads"): "evil",
    ("torch", "load"): "evil.pt",
    ("torch.serialization", "load"): "evil.pt",
    ("torch.hub", "load"): "evil",
    ("torch.jit", "load"): "evil.pt",
    ("torch.utils._config_module", "load_config"): "evil",
    ("torch.utils.collect_env", "run"): COMMAND,
    ("numpy", "load"): "evil.npy",
    ("numpy.testing._private.utils", "runstring"): _PYTHON,
    ("numpy.f2py.crackfortran", "getlincoef"): _PYTHON,
    ("timeit", "timeit"): _PYTHON,
    ("cProfile", "run"): _PYTHON,
    ("profile", "Profile.run"): _PYTHON,
    ("pdb", "run"): _PYTHON,
    ("bdb", "Bdb.run"): _PYTHON,
    ("trace", "Trace.run"): _PYTHON,
    ("code", "InteractiveInterpreter.runcode"): _PYTHON,
    ("idlelib.run", "Executive.runcode"): _PYTHON,
    ("lib2to3.pgen2.pgen", "ParserGenerator.make_label"): _PYTHON,
    ("pydoc", "pipepager"): COMMAND,
    ("pip", "main"): "install evil",
    ("webbrowser", "open"): "https://example.org",
    ("ctypes", "CDLL"): "evil.so",
    ("_io", "FileIO"): "canary",
    ("logging.config", "listen"): "1",
    ("operator", "attrgetter"): "system",
    ("functools", "partial"): "x",
    ("types", "FunctionType"): "x",
    ("dnnlib.util", "open_url"): "https://example.org",
    ("dnnlib.util", "call_func_by_name"): "os.system",
    ("torch_utils.persistence", "import_hook"): "x",
    ("torch_utils.persistence", "_src_to_module"): _PYTHON,
}

CODE: dict[str, bytes] = {
    **{f"{m}.{n}": whole(call(name(m, n), text(argument)), 2) for (m, n), argument in _CALLS.items()},
    **{
        f"{m}.{n}-stacked": whole(call(stack_name(text(m), text(n)), text(argument)))
        for (m, n), argument in list(_CALLS.items())[:8]
    },
    "getattr": whole(
        call(call(name("builtins", "getattr"), name("os", "path"), text("system")), text(COMMAND))
    ),
    "dotted-known": whole(
        call(name("torch_utils.persistence", "_reconstruct_persistent_obj.__globals__"), text("os"))
    ),
    "dotted-method": whole(call(stack_name(text("dnnlib.util"), text("EasyDict.__init__.__globals__")), b"")),
    "dotted-subclasses": whole(
        call(stack_name(text("numpy"), text("dtype.__class__.__base__.__subclasses__")))
    ),
    "dotted-module": whole(call(stack_name(text("collections.abc.sys.modules"), text("get")), text("os"))),
    "empty-names": whole(stack_name(text(""), text(""))),
    "memo-names": whole(
        text("os")
        + b"q\x00"
        + text("system")
        + b"q\x01"
        + b"00"
        + b"h\x00h\x01\x93"
        + b"("
        + text(COMMAND)
        + b"tR"
    ),
    "memo-swapped": whole(_EASY + b"q\x00" + b"0" + text("x") + b"q\x00" + b"0h\x00)\x81"),
    "name-of-number": whole(stack_name(b"K\x01", text("system"))),
    "name-of-list": whole(stack_name(b"]", text("system"))),
    "name-of-bytes": whole(stack_name(b"C\x02os", b"C\x06system")),
    "name-of-long-text": whole(stack_name(text("o" * 300), text("system"))),
    "name-of-global": whole(stack_name(_ORDERED, text("system"))),
    "name-escapes": whole(name("os\x1b[2J\r\x07", "system\u202e")),
    "obj": whole(b"(" + _OS + text(COMMAND) + b"o"),
    "obj-known": whole(b"(" + _EASY + b"o"),
    "inst": whole(b"(" + text(COMMAND) + b"ios\nsystem\n"),
    "ext1": whole(b"\x82\x01"),
    "ext2": whole(b"\x83\x01\x00"),
    "ext4": whole(b"\x84\x01\x00\x00\x00"),
    "persid": whole(b"Pevil\n"),
    "binpersid": whole(text("evil") + b"Q"),
    "newobj-ex": whole(_EASY + b")}\x92"),
    "newobj-os": whole(_OS + b")\x81"),
    "newobj-function": whole(_LOAD + b")\x81"),
    "next-buffer": whole(b"\x97", 5),
    "readonly-buffer": whole(b"]\x98", 5),
    "reduce-class": whole(call(name("numpy", "ndarray"), text("x"))),
    "reduce-text": whole(call(text("os.system"), text(COMMAND))),
    "reduce-dict": whole(call(b"}")),
    "reduce-no-tuple": whole(_ORDERED + b"]R"),
    "build-on-class": whole(_EASY + _SET_ATTRIBUTES.replace(_OS, b"N") + b"b"),
    "build-on-function": whole(_LOAD + b"}" + text("__code__") + b"Nsb"),
    "build-on-dict": whole(call(_ORDERED) + b"}" + text("__class__") + b"Nsb"),
    "build-on-easydict": whole(_EASY + b")\x81}" + text("__getattr__") + b"Nsb"),
    "build-on-text": whole(text("x") + b"}b"),
    "build-slots": whole(call(_ORDERED) + b"N}" + text("__class__") + b"Ns\x86b"),
    "build-twice": whole(array(b"K\x01\x85") + b"(K\x01K\x01\x85" + _DTYPE + b"\x89C\x04abcdtb"),
    "build-namespace": torch_file(name("argparse", "Namespace") + b")\x81K\x01b"),
    "inner-pickle": whole(call(_LOAD, blob(whole(_EVIL) + bytes(300)))),
    "inner-root": whole(call(_LOAD, blob(torch_file(_EVIL) + bytes(200)))),
    "inner-machine": whole(
        call(_LOAD, blob(torch_file(text("x" * 120) + b"0" + text("x" * 120), machine=whole(_EVIL, 2))))
    ),
    "inner-other-type": whole(call(_LOAD, blob(torch_file(b"}" + text("x" * 90) + b"Ns")))),
    "inner-tail": whole(call(_LOAD, blob(storage(tail=whole(_EVIL))))),
    "inner-zip": whole(call(_LOAD, blob(b"PK\x03\x04" + bytes(400)))),
    "inner-rebuild": whole(call(_LOAD, blob(torch_file(call(_REBUILD, b"N") + b"0" + text("x" * 100))))),
    "inner-twice": whole(call(_LOAD, call(_LOAD, blob(storage())))),
    "encode-rot13": whole(call(name("_codecs", "encode"), text("x"), text("rot13"))),
    "encode-three": whole(call(name("_codecs", "encode"), text("x"), text("latin1"), text("x"))),
    "decode": whole(call(name("_codecs", "decode"), text("x"), text("zlib"))),
    "after-stop": whole(b"}") + whole(_EVIL),
    "after-stop-torch": torch_file(b"}") + whole(_EVIL),
    "torch-root": torch_file(_EVIL),
    "module-without-meta": whole(call(name("torch_utils.persistence", "_reconstruct_persistent_obj"), b"N")),
    "module-of-function": whole(
        call(
            name("torch_utils.persistence", "_reconstruct_persistent_obj"),
            b"}(" + text("type") + text("function") + text("module_src") + text(_PYTHON) + b"u",
        )
    ),
}


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
        call(_REBUILD, call(_LOAD, blob(storage())), b"K\x00", b"\x88\x85", b"\x88\x85", b"\x89", b"}")
    ),
    "dimensions": whole(tensor(0, [1] * 9, [1] * 9)),
    "dimensions-many": whole(tensor(0, [1] * 5000, [1] * 5000)),
    "rank-mismatch": whole(tensor(0, [4], [1, 1])),
    "no-storage": whole(call(_REBUILD, text("x"), b"K\x00", numbers([1]), numbers([1]), b"\x89", b"}")),
    "few-arguments": whole(call(_REBUILD, b"N")),
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
    "scalar-short": whole(call(name("numpy.core.multiarray", "scalar"), _DTYPE, b"C\x02ab")),
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

_DOUBLING = b")" + b"q\x00" + b"".join(b"0h\x00h\x00\x86q\x00" for _ in range(100))
_MODULE = name("torch_utils.persistence", "_reconstruct_persistent_obj")


def _module(state: bytes) -> bytes:
    meta = (
        b"}("
        + text("type")
        + text("class")
        + text("class_name")
        + text("Generator")
        + text("state")
        + state
        + b"u"
    )
    return call(_MODULE, meta)


def _holding(*names: str) -> bytes:
    """A dictionary with the module of memo 1 under each name."""
    return b"}(" + b"".join(text(child) + b"h\x01" for child in names) + b"u"


def _looping_module() -> bytes:
    """A generator that holds another one four times, and so on, a hundred deep."""
    program = _module(b"}") + b"q\x01"
    for _ in range(100):
        held = text("_modules") + _holding("a", "b4", "synthesis", "mapping")
        program += b"0" + _module(b"}(" + text("_init_kwargs") + b"}" + held + b"u") + b"q\x01"
    return b"}" + text("G") + program + b"s"


def _self_holding_module() -> bytes:
    state = (
        b"h\x00(" + text("_init_kwargs") + b"}" + text("_modules") + _holding("b4", "synthesis", "mapping")
    )
    return b"}" + text("G") + _module(b"}q\x00") + b"q\x01" + state + b"u0s"


def _nested_settings() -> bytes:
    loop = b"}q\x02" + text("z_dim") + b"h\x02s"
    state = (
        b"}("
        + text("_init_kwargs")
        + loop
        + text("_modules")
        + b"}("
        + b"".join(text(n) + _module(b"}") for n in ("mapping",))
        + b"uu"
    )
    return b"}" + text("G") + _module(state) + b"s"


def _colliding_keys() -> bytes:
    prime = 2**61 - 1  # Python's hash of a number is its remainder by this
    return b"}(" + b"".join(number(prime * i) + b"N" for i in range(1, 60_000)) + b"u"


def _decoded_again() -> bytes:
    encode = (
        name("_codecs", "encode") + b"q\x00" + text("\x80" * 500_000) + b"q\x01" + text("latin1") + b"q\x02"
    )
    return b"(" + encode + b"h\x00h\x01h\x02\x86R" * 10_000 + b"t"


def _parsed_again() -> bytes:
    filler = torch_file(b"N0" * 200_000 + storage_id(4, "FloatStorage"), [("0", 4, bytes(16))])
    return b"(" + _LOAD + b"q\x00" + blob(filler) + b"\x85q\x01" + b"h\x00h\x01R0" * 20_000 + b"t"


BOMBS: dict[str, Callable[[], bytes]] = {
    "doubling-root": lambda: whole(_DOUBLING),
    "doubling-key": lambda: whole(b"}" + _DOUBLING + b"Ns"),
    "doubling-setting": lambda: whole(
        b"}" + text("G") + _module(b"}(" + text("_init_kwargs") + b"}" + text("z") + _DOUBLING + b"su") + b"s"
    ),
    "doubling-list": lambda: whole(b"]q\x00" + b"0]q\x01h\x00ah\x00aq\x00" * 100),
    "list-of-itself": lambda: whole(b"]q\x00h\x00a"),
    "deep-tuples": lambda: whole(b")" + b"\x85" * 900_000),
    "deep-lists": lambda: whole(b"]" * 400_000 + b"a" * 399_999),
    "deep-dicts": lambda: whole(b"}" + (b"K\x00}" * 200_000) + b"s" * 200_000),
    "deep-marks": lambda: whole(b"(" * 900_000),
    "deep-modules": lambda: whole(_looping_module()),
    "module-of-itself": lambda: whole(_self_holding_module()),
    "setting-of-itself": lambda: whole(_nested_settings()),
    "instructions": lambda: whole(b"N0" * 3_000_000 + b"N"),
    "sets": lambda: whole(b"\x8f" * 3_000_000),
    "stack": lambda: whole(b"N" * 3_000_000),
    "frames": lambda: b"\x80\x04" + b"\x95" + bytes(8) + (b"\x95" + bytes(8)) * 1_500_000 + b"N.",
    "memo": lambda: whole(b"N" + b"\x94" * 3_000_000),
    "names": lambda: whole((text("n" * 120) + b"0") * 700_000 + b"N"),
    "colliding-keys": lambda: whole(_colliding_keys()),
    "decoded-again": lambda: whole(_decoded_again()),
    "parsed-again": lambda: whole(_parsed_again()),
    "module-source": lambda: whole(_module(b"}") + b"0" + text("x" * 20_000_000)),
}


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
