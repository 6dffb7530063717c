"""A stack machine for pickles that makes inert records and cannot do anything else.

It is not `pickle.Unpickler`, which copies every storage, keeps the copy in its memo, sets attributes, and imports
unless told otherwise: this machine has no instruction that could. A global is looked up in an exact table of
(module, name) pairs and is one of our own records; a call records its arguments after checking them. Keys are text or
plain numbers, so that hashing cannot take forever, and there is no recursion. `opcodes` enforces the bounds.
"""

from collections.abc import Callable, Mapping

from stylegan.checkpoint.legacy.bounds import DAMAGED, RefusedError, shown
from stylegan.checkpoint.legacy.opcodes import next_opcode
from stylegan.checkpoint.legacy.records import Global, StatefulRecord
from stylegan.checkpoint.legacy.source import Cursor
from stylegan.checkpoint.legacy.strangers import hint_of

__all__ = ["PersistentLoad", "Table", "read_pickle"]

Table = Mapping[tuple[str, str], Global]
PersistentLoad = Callable[[object], object]
_MAX_INT_KEY = 1 << 60  # larger ones can be chosen so that all have the same hash


def read_pickle(cursor: Cursor, table: Table, persistent_load: PersistentLoad | None = None) -> object:
    """Read one pickle.

    Args:
        cursor: stands at its beginning; is left just after its STOP.
        table: the globals it may name.
        persistent_load: makes the object of a persistent id; None refuses them.

    Returns:
        What the pickle holds: plain values, containers, and records.

    Raises:
        RefusedError: it names a global outside the table, does what it may not, or is damaged.
    """
    machine = _Machine(table, persistent_load)
    try:
        while True:
            code, argument = next_opcode(cursor)
            if code == b".":
                return machine.result()
            _HANDLERS[code](machine, argument)
    except IndexError:
        raise RefusedError(f"takes more from the pickle's stack than lies there; {DAMAGED}") from None


class _Machine:
    def __init__(self, table: Table, persistent_load: PersistentLoad | None) -> None:
        self.table = table
        self.persistent_load = persistent_load
        self.stack: list[object] = []
        self.marks: list[list[object]] = []
        self.memo: dict[int, object] = {}

    def result(self) -> object:
        if self.marks or len(self.stack) != 1:
            raise RefusedError(f"ends with things left over on the pickle's stack; {DAMAGED}")
        return self.stack[0]

    def pop_mark(self) -> list[object]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def tuple_of(self, count: int) -> None:
        if count > len(self.stack):
            raise IndexError
        start = len(self.stack) - count
        self.stack[start:] = [tuple(self.stack[start:])]

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def get(self, argument: object) -> None:
        if argument not in self.memo:
            raise RefusedError(f"refers to an object it has not made; {DAMAGED}")
        self.stack.append(self.memo[argument])

    def find_global(self, module: object, name: object) -> None:
        if type(module) is not str or type(name) is not str:
            raise RefusedError(f"names a global by something that is not text; {DAMAGED}")
        found = self.table.get((module, name))
        if found is None:
            wanted = f"{shown(f'{module}.{name}')}{hint_of(module)}"
            raise RefusedError(f"wants the global {wanted}, which no StyleGAN2 network needs; refused")
        self.stack.append(found)

    def call(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if type(arguments) is not tuple or not isinstance(function, Global) or function.call is None:
            raise RefusedError(f"calls {_name(function)}, which cannot be called; refused")
        self.stack.append(function.call(arguments))

    def make(self) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        if type(arguments) is not tuple or not isinstance(kind, Global) or kind.new is None:
            raise RefusedError(f"makes an instance of {_name(kind)}, which cannot be; refused")
        self.stack.append(kind.new(arguments))

    def build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, StatefulRecord):
            target.set_state(state)
        elif not (type(target) is dict and type(state) is dict and state.keys() <= {"_metadata"}):
            raise RefusedError(f"sets attributes of {_name(target)}, which has none; refused")

    def append(self, items: list[object]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise RefusedError(f"appends to what is not a list; {DAMAGED}")
        target.extend(items)

    def add(self, items: list[object]) -> None:
        target = self.stack[-1]
        if type(target) is not set:
            raise RefusedError(f"adds to what is not a set; {DAMAGED}")
        target.update(_keys(items))

    def set_items(self, items: list[object]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise RefusedError(f"sets items of what is not a dictionary; {DAMAGED}")
        target.update(zip(_keys(items[::2]), items[1::2], strict=True))

    def persistent(self) -> None:
        if self.persistent_load is None:
            raise RefusedError("refers to an object outside of itself; refused")
        self.stack.append(self.persistent_load(self.stack.pop()))


def _keys(items: list[object]) -> list[object]:
    for item in items:
        if type(item) is not str and not (type(item) is int and -_MAX_INT_KEY < item < _MAX_INT_KEY):
            raise RefusedError(f"has a key that is neither text nor a plain number; {DAMAGED}")
    return items


def _name(value: object) -> str:
    return shown(value.name) if isinstance(value, Global) else f"a {type(value).__name__}"


def _last(machine: _Machine, count: int) -> list[object]:
    if count >= len(machine.stack):  # the container lies below them
        raise IndexError
    items = machine.stack[-count:]
    del machine.stack[-count:]
    return items


def _push(machine: _Machine, argument: object) -> None:
    machine.stack.append(argument)


def _constant(make: Callable[[], object]) -> Callable[[_Machine, object], None]:
    return lambda machine, _: machine.stack.append(make())


def _mark(machine: _Machine, _: object) -> None:
    machine.marks.append(machine.stack)
    machine.stack = []


def _pop(machine: _Machine) -> None:
    machine.stack.pop()


def _marked(use: Callable[[_Machine, list[object]], None]) -> Callable[[_Machine, object], None]:
    return lambda machine, _: use(machine, machine.pop_mark())


def _plain(use: Callable[[_Machine], None]) -> Callable[[_Machine, object], None]:
    return lambda machine, _: use(machine)


def _stack_global(machine: _Machine) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.find_global(module, name)


_HANDLERS: dict[bytes, Callable[[_Machine, object], None]] = {
    b"\x80": lambda machine, _: None,
    b"\x95": lambda machine, _: None,
    b"N": _push,
    b"\x88": _constant(lambda: True),
    b"\x89": _constant(lambda: False),
    **dict.fromkeys((b"K", b"M", b"J", b"\x8a", b"G"), _push),
    **dict.fromkeys((b"\x8c", b"X", b"\x8d", b"C", b"B", b"\x8e", b"\x96"), _push),
    b")": _constant(tuple),
    b"t": _marked(lambda machine, items: machine.stack.append(tuple(items))),
    b"\x85": _plain(lambda machine: machine.tuple_of(1)),
    b"\x86": _plain(lambda machine: machine.tuple_of(2)),
    b"\x87": _plain(lambda machine: machine.tuple_of(3)),
    b"]": _constant(list),
    b"a": _plain(lambda machine: machine.append(_last(machine, 1))),
    b"e": _marked(_Machine.append),
    b"}": _constant(dict),
    b"s": _plain(lambda machine: machine.set_items(_last(machine, 2))),
    b"u": _marked(_Machine.set_items),
    b"\x8f": _constant(set),
    b"\x90": _marked(_Machine.add),
    b"\x91": _marked(lambda machine, items: machine.stack.append(frozenset(_keys(items)))),
    b"(": _mark,
    b"0": _plain(_pop),
    b"1": _marked(lambda machine, items: None),
    b"q": lambda machine, index: machine.put(index),  # type: ignore[arg-type]
    b"r": lambda machine, index: machine.put(index),  # type: ignore[arg-type]
    b"\x94": lambda machine, _: machine.put(len(machine.memo)),
    b"h": _Machine.get,
    b"j": _Machine.get,
    b"c": lambda machine, pair: machine.find_global(*pair),  # type: ignore[misc]
    b"\x93": _plain(_stack_global),
    b"R": _plain(_Machine.call),
    b"\x81": _plain(_Machine.make),
    b"b": _plain(_Machine.build),
    b"Q": _plain(_Machine.persistent),
}
