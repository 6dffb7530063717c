"""The pickle instructions that network files are made of, one at a time, each within bounds.

Lengths are compared with what is left of the file before anything is read or allocated. Instructions that only
protocols 0 and 1 write, those that call a class by themselves (INST, OBJ), extension codes and out-of-band buffers
are refused by name: no network file has them, and every known trick but plain calls needs one.
"""

import pickletools
import struct
from collections.abc import Callable

from stylegan.checkpoint.legacy.bounds import MAX_INLINE_BYTES, RefusedError
from stylegan.checkpoint.legacy.source import Cursor, Span

__all__ = ["next_opcode"]


def next_opcode(cursor: Cursor) -> tuple[bytes, object]:
    """Read one instruction.

    Args:
        cursor: stands before it; moves past it.

    Returns:
        Its code, one byte, and its argument: a number, text, bytes, a (module, name) pair, a `Span` for long text
        and bytes, or None.

    Raises:
        RefusedError: an instruction that no network has, one cut short, or the file's allowance is used up.
    """
    cursor.meter.take_opcode()
    code = cursor.take(1)
    try:
        read = _ARGUMENTS[code]
    except KeyError:
        raise RefusedError(_describe(code, cursor.position - 1)) from None
    return code, read(cursor) if read is not None else None


def _describe(code: bytes, position: int) -> str:
    names = {opcode.code.encode("latin-1"): opcode.name for opcode in pickletools.opcodes}
    if code not in names:
        return f"has no pickle instruction at byte {position}; damaged, fetch it again"
    return f"has the pickle instruction {names[code]}, which no network needs; refused, do not trust the file"


def _number(form: str) -> Callable[[Cursor], object]:
    packed = struct.Struct(form)

    def read(cursor: Cursor) -> object:
        value: object = packed.unpack(cursor.take(packed.size))[0]
        return value

    return read


def _length(cursor: Cursor, size: int) -> int:
    length = int.from_bytes(cursor.take(size), "little")
    if length > cursor.left:
        raise RefusedError(
            f"claims {length} bytes where {cursor.left} are left: a download cut short, or a trap; fetch it again"
        )
    return length


def _text(size: int) -> Callable[[Cursor], str | Span]:
    def read(cursor: Cursor) -> str | Span:
        length = _length(cursor, size)
        if length > MAX_INLINE_BYTES:
            span = cursor.skip(length)
            return Span(span.source, span.start, span.length, is_text=True)
        cursor.meter.take_text(length)
        try:
            return cursor.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise RefusedError("has text that is not UTF-8; damaged, fetch it again") from None

    return read


def _bytes(size: int) -> Callable[[Cursor], bytes | Span]:
    def read(cursor: Cursor) -> bytes | Span:
        length = _length(cursor, size)
        return cursor.take(length) if length <= MAX_INLINE_BYTES else cursor.skip(length)

    return read


def _long(cursor: Cursor) -> int:
    return int.from_bytes(cursor.take(_length(cursor, 1)), "little", signed=True)


def _global(cursor: Cursor) -> tuple[str, str]:
    module, name = cursor.line(), cursor.line()
    return module.decode("utf-8", "backslashreplace"), name.decode("utf-8", "backslashreplace")


def _protocol(cursor: Cursor) -> None:
    if not 2 <= (version := cursor.take(1)[0]) <= 5:
        raise RefusedError(f"a pickle of protocol {version}; only 2 to 5 are read")


def _frame(cursor: Cursor) -> None:
    _length(cursor, 8)


_ARGUMENTS: dict[bytes, Callable[[Cursor], object] | None] = {
    b"\x80": _protocol,
    b"\x95": _frame,
    b".": None,  # STOP
    # values
    b"N": None,
    b"\x88": None,  # NEWTRUE
    b"\x89": None,  # NEWFALSE
    b"K": _number("<B"),
    b"M": _number("<H"),
    b"J": _number("<i"),
    b"\x8a": _long,
    b"G": _number(">d"),
    b"\x8c": _text(1),
    b"X": _text(4),
    b"\x8d": _text(8),
    b"C": _bytes(1),
    b"B": _bytes(4),
    b"\x8e": _bytes(8),
    b"\x96": _bytes(8),  # BYTEARRAY8
    # containers
    b")": None,  # EMPTY_TUPLE
    b"t": None,  # TUPLE
    b"\x85": None,  # TUPLE1
    b"\x86": None,  # TUPLE2
    b"\x87": None,  # TUPLE3
    b"]": None,  # EMPTY_LIST
    b"a": None,  # APPEND
    b"e": None,  # APPENDS
    b"}": None,  # EMPTY_DICT
    b"s": None,  # SETITEM
    b"u": None,  # SETITEMS
    b"\x8f": None,  # EMPTY_SET
    b"\x90": None,  # ADDITEMS
    b"\x91": None,  # FROZENSET
    # stack and memo
    b"(": None,  # MARK
    b"0": None,  # POP
    b"1": None,  # POP_MARK
    b"q": _number("<B"),  # BINPUT
    b"r": _number("<I"),  # LONG_BINPUT
    b"\x94": None,  # MEMOIZE
    b"h": _number("<B"),  # BINGET
    b"j": _number("<I"),  # LONG_BINGET
    # globals and calls, all of them inert
    b"c": _global,
    b"\x93": None,  # STACK_GLOBAL
    b"R": None,  # REDUCE
    b"\x81": None,  # NEWOBJ
    b"b": None,  # BUILD
    b"Q": None,  # BINPERSID
}
