"""Pickles that would run `touch canary`, by every known trick. All must be refused.

Those that lie about sizes are in `hostile_claims`, those that would take endless time or memory in `hostile_bombs`.
"""

import pickle
import pickletools
import struct

from tests.stylegan.checkpoint.legacy.hostile_globals import CALLS, LOOKALIKES
from tests.stylegan.checkpoint.legacy.instructions import (
    COMMAND,
    DTYPE,
    EASY,
    EVIL,
    LOAD,
    ORDERED,
    OS,
    REBUILD,
    array,
    blob,
    call,
    name,
    number,
    stack_name,
    storage,
    storage_id,
    text,
    torch_file,
    whole,
)

_PYTHON = "import os; os.system('touch canary')"
_SET_ATTRIBUTES = b"}" + text("__reduce__") + OS + b"s"
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
    **dict.fromkeys(CALLS, COMMAND),
}
_USED = (
    b"\x80\x95.N\x88\x89KMJ\x8aG\x8cX\x8dCB\x8e\x96)t\x85\x86\x87]ae}su\x8f\x90\x91(01qr\x94hjc\x93R\x81bQ"
)
_UNUSED = [code for code in pickletools.opcodes if code.code.encode("latin-1") not in _USED]

CODE: dict[str, bytes] = {
    **{f"{m}.{n}": whole(call(name(m, n), text(argument)), 2) for (m, n), argument in _CALLS.items()},
    **{
        f"{m}.{n}-stacked": whole(call(stack_name(text(m), text(n)), text(argument)))
        for (m, n), argument in list(_CALLS.items())[:8]
    },
    **{
        f"lookalike-{i}": whole(call(stack_name(text(m), text(n)), text(COMMAND)))
        for i, (m, n) in enumerate(LOOKALIKES)
    },
    **{
        f"opcode-{code.name}": whole(
            text("os") + text("system") + code.code.encode("latin-1") + b"1\n1\n" + bytes(8)
        )
        for code in _UNUSED
    },
    "chained": whole(
        call(name("functools", "reduce"), name("builtins", "getattr"), b"(" + OS + text("system") + b"t")
    ),
    "payload-then-broken": b"\x80\x04" + EVIL + b"\xff",
    "payload-then-end": b"\x80\x04" + EVIL,
    "payload-popped": whole(EVIL + b"0}"),
    "payload-in-key": whole(b"}" + EVIL + b"Ns"),
    "payload-in-set": whole(b"\x8f(" + EVIL + b"\x90"),
    "payload-in-tuple": whole(b"(" + EVIL + b"t"),
    "payload-in-state": whole(EASY + b")\x81" + EVIL + b"b"),
    "payload-in-module": whole(b"}" + text("G_ema") + EVIL + b"s"),
    "payload-twice-framed": b"\x80\x04\x95" + struct.pack("<Q", 4) + b"N0N0" + EVIL + b".",
    "protocol-again": whole(b"\x80\x02" + EVIL),
    "set-of-calls": whole(call(name("builtins", "set"), b"]" + OS + b"a")),
    "set-renamed": whole(call(name("__builtin__", "set"), b"(" + text("x") + b"t")),
    "dict-with-items": whole(call(ORDERED, b"]")),
    "easydict-called": whole(call(EASY, b"}")),
    "dtype-object": whole(call(name("numpy", "dtype"), text("O"), b"\x89", b"\x88")),
    "dtype-subarray": whole(call(name("numpy", "dtype"), b"(" + text("f4") + b"K\x02t", b"\x89", b"\x88")),
    "dtype-with-fields": whole(
        call(name("numpy", "dtype"), text("f4"), b"\x89", b"\x88")
        + b"(K\x03"
        + text("|")
        + b"N("
        + text("a")
        + b"t}K\x04K\x01K\x00tb"
    ),
    "reconstruct-other-class": whole(
        call(name("numpy.core.multiarray", "_reconstruct"), OS, b"K\x00\x85", b"C\x01b")
    ),
    "inner-persid": whole(call(LOAD, blob(torch_file(b"Pevil\n" + b"0N" * 100)))),
    "inner-persid-of-function": whole(
        call(
            LOAD,
            blob(torch_file(b"(" + text("storage") + OS + text("0") + text("cpu") + number(4) + b"tQ")),
        )
    ),
    "inner-persid-of-module": whole(
        call(
            LOAD,
            blob(torch_file(b"(" + text("module") + name("torch", "FloatStorage") + text("x" * 90) + b"tQ")),
        )
    ),
    "inner-tar": whole(call(LOAD, blob(b"storages".ljust(100, b"\0") + bytes(157) + b"ustar" + bytes(400)))),
    "inner-keys": whole(
        call(
            LOAD,
            blob(
                torch_file(storage_id(4, "FloatStorage"), [("0", 4, bytes(16))]).replace(
                    pickle.dumps(["0"], 2), whole(EVIL, 2)
                )
            ),
        )
    ),
    "memo-of-call": whole(OS + b"\x94" + text(COMMAND) + b"\x94" + b"00h\x00h\x01\x85R"),
    "memo-overwrites-known": whole(
        EASY + b"\x94q\x00" + b"0" + OS + b"q\x00" + b"0h\x00" + text(COMMAND) + b"\x85R"
    ),
    "memo-by-length": whole(
        b"Nq\x010" + text("os") + b"\x94" + b"0h\x01" + text("system") + b"\x93" + text(COMMAND) + b"\x85R"
    ),
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
    "memo-swapped": whole(EASY + b"q\x00" + b"0" + text("x") + b"q\x00" + b"0h\x00)\x81"),
    "name-of-number": whole(stack_name(b"K\x01", text("system"))),
    "name-of-list": whole(stack_name(b"]", text("system"))),
    "name-of-bytes": whole(stack_name(b"C\x02os", b"C\x06system")),
    "name-of-long-text": whole(stack_name(text("o" * 300), text("system"))),
    "name-of-global": whole(stack_name(ORDERED, text("system"))),
    "name-escapes": whole(name("os\x1b[2J\r\x07", "system\u202e")),
    "obj": whole(b"(" + OS + text(COMMAND) + b"o"),
    "obj-known": whole(b"(" + EASY + b"o"),
    "inst": whole(b"(" + text(COMMAND) + b"ios\nsystem\n"),
    "ext1": whole(b"\x82\x01"),
    "ext2": whole(b"\x83\x01\x00"),
    "ext4": whole(b"\x84\x01\x00\x00\x00"),
    "persid": whole(b"Pevil\n"),
    "binpersid": whole(text("evil") + b"Q"),
    "newobj-ex": whole(EASY + b")}\x92"),
    "newobj-os": whole(OS + b")\x81"),
    "newobj-function": whole(LOAD + b")\x81"),
    "next-buffer": whole(b"\x97", 5),
    "readonly-buffer": whole(b"]\x98", 5),
    "reduce-class": whole(call(name("numpy", "ndarray"), text("x"))),
    "reduce-text": whole(call(text("os.system"), text(COMMAND))),
    "reduce-dict": whole(call(b"}")),
    "reduce-no-tuple": whole(ORDERED + b"]R"),
    "build-on-class": whole(EASY + _SET_ATTRIBUTES.replace(OS, b"N") + b"b"),
    "build-on-function": whole(LOAD + b"}" + text("__code__") + b"Nsb"),
    "build-on-dict": whole(call(ORDERED) + b"}" + text("__class__") + b"Nsb"),
    "build-on-easydict": whole(EASY + b")\x81}" + text("__getattr__") + b"Nsb"),
    "build-on-text": whole(text("x") + b"}b"),
    "build-slots": whole(call(ORDERED) + b"N}" + text("__class__") + b"Ns\x86b"),
    "build-twice": whole(array(b"K\x01\x85") + b"(K\x01K\x01\x85" + DTYPE + b"\x89C\x04abcdtb"),
    "build-namespace": torch_file(name("argparse", "Namespace") + b")\x81K\x01b"),
    "inner-pickle": whole(call(LOAD, blob(whole(EVIL) + bytes(300)))),
    "inner-root": whole(call(LOAD, blob(torch_file(EVIL) + bytes(200)))),
    "inner-machine": whole(
        call(LOAD, blob(torch_file(text("x" * 120) + b"0" + text("x" * 120), machine=whole(EVIL, 2))))
    ),
    "inner-other-type": whole(call(LOAD, blob(torch_file(b"}" + text("x" * 90) + b"Ns")))),
    "inner-tail": whole(call(LOAD, blob(storage(tail=whole(EVIL))))),
    "inner-zip": whole(call(LOAD, blob(b"PK\x03\x04" + bytes(400)))),
    "inner-rebuild": whole(call(LOAD, blob(torch_file(call(REBUILD, b"N") + b"0" + text("x" * 100))))),
    "inner-twice": whole(call(LOAD, call(LOAD, blob(storage())))),
    "encode-rot13": whole(call(name("_codecs", "encode"), text("x"), text("rot13"))),
    "encode-three": whole(call(name("_codecs", "encode"), text("x"), text("latin1"), text("x"))),
    "decode": whole(call(name("_codecs", "decode"), text("x"), text("zlib"))),
    "after-stop": whole(b"}") + whole(EVIL),
    "after-stop-torch": torch_file(b"}") + whole(EVIL),
    "torch-root": torch_file(EVIL),
    "module-without-meta": whole(call(name("torch_utils.persistence", "_reconstruct_persistent_obj"), b"N")),
    "module-of-function": whole(
        call(
            name("torch_utils.persistence", "_reconstruct_persistent_obj"),
            b"}(" + text("type") + text("function") + text("module_src") + text(_PYTHON) + b"u",
        )
    ),
}
