"""Pickles that would take endless time or memory, made when asked for. All must be refused."""

from collections.abc import Callable

from tests.stylegan.checkpoint.legacy.instructions import (
    LOAD,
    blob,
    call,
    name,
    number,
    storage_id,
    tensor,
    text,
    torch_file,
    whole,
)

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
    return b"(" + LOAD + b"q\x00" + blob(filler) + b"\x85q\x01" + b"h\x00h\x01R0" * 20_000 + b"t"


def _copied_sets() -> bytes:
    names = b"](" + b"".join(text(f"{i:x}") for i in range(3000)) + b"e\x85q\x00"
    return names + name("builtins", "set") + b"q\x01" + b"(" + b"h\x01h\x00R" * 40_000 + b"t"


def _shared_module(num_entries: int, num_holders: int) -> bytes:
    """A generator whose mapping holds one module with many parameters again and again."""
    many = b"}(" + b"".join(text(f"{i:x}") + b"h\x00" for i in range(num_entries)) + b"u"
    leaf = (
        tensor(0, [4], [1]) + b"q\x00" + b"0" + _module(b"}(" + text("_parameters") + many + b"u") + b"q\x01"
    )
    blocks = b"}(" + text("_modules") + _holding("b4") + b"u"
    holders = b"}(" + text("_modules") + _holding(*(f"m{i}" for i in range(num_holders))) + b"u"
    children = b"}(" + text("synthesis") + _module(blocks) + text("mapping") + _module(holders) + b"u"
    state = b"}(" + text("_init_kwargs") + b"}" + text("_modules") + children + b"u"
    return leaf + b"0}" + text("G") + _module(state) + b"s"


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
    "copied-sets": lambda: whole(_copied_sets()),
    "shared-module": lambda: whole(_shared_module(50_000, 4_000)),
    "shared-parents": lambda: whole(_shared_module(1, 200_000)),
    "names": lambda: whole((text("n" * 120) + b"0") * 700_000 + b"N"),
    "colliding-keys": lambda: whole(_colliding_keys()),
    "decoded-again": lambda: whole(_decoded_again()),
    "parsed-again": lambda: whole(_parsed_again()),
    "module-source": lambda: whole(_module(b"}") + b"0" + text("x" * 20_000_000)),
}

LONG = frozenset(
    ("deep-tuples", "deep-dicts", "deep-marks", "sets", "frames", "memo", "shared-parents", "names")
)
"""Those that take a second to refuse; each resembles one that does not."""
