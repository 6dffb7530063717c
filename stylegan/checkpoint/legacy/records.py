"""What a pickle's objects become here: inert records that hold values and do nothing.

A record takes what the file says and checks its type, at once or when its state arrives. Dictionaries of every kind
become plain dictionaries. Nothing here compares, hashes, prints or walks through what a file brought.
"""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

from stylegan.checkpoint.legacy.bounds import DAMAGED, RefusedError
from stylegan.checkpoint.legacy.source import Span

__all__ = ["Arguments", "Global", "ModuleRecord", "NamespaceRecord", "OldNetworkRecord", "StatefulRecord"]

Arguments: TypeAlias = tuple[object, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Global:
    """A global that the table knows, standing for a class or function of that name."""

    name: str
    """Module and name, joined by a dot."""
    call: Callable[[Arguments], object] | None = None
    """What calling it records; None if it cannot be called."""
    new: Callable[[Arguments], object] | None = None
    """What making an instance of it without a call records; None if that cannot be done."""


@dataclasses.dataclass(slots=True, eq=False, repr=False)
class StatefulRecord:
    """A record whose one state arrives after it."""

    def set_state(self, state: object) -> None:
        """Take the state.

        Raises:
            RefusedError: it has one already, or it is of the wrong kind.
        """
        raise NotImplementedError


@dataclasses.dataclass(slots=True, eq=False, repr=False)
class _DictState(StatefulRecord):
    state: dict[object, object] | None = None

    def set_state(self, state: object) -> None:
        if self.state is not None or type(state) is not dict:
            raise RefusedError(f"sets the state of an object twice or to what is none; {DAMAGED}")
        self.state = state


class NamespaceRecord(_DictState):
    """The options of a training run (`argparse.Namespace`)."""

    __slots__ = ()


class OldNetworkRecord(_DictState):
    """A network of the official TensorFlow release."""

    __slots__ = ()


@dataclasses.dataclass(frozen=True, slots=True, eq=False, repr=False)
class ModuleRecord:
    """A module of the official PyTorch release, with the name of its class and without its source."""

    class_name: str
    state: dict[object, object]
    """The module's attributes: `_parameters`, `_buffers`, `_modules`, `_init_kwargs` and plain values."""

    @classmethod
    def from_meta(cls, arguments: Arguments) -> "ModuleRecord":
        """From the one argument of `_reconstruct_persistent_obj`.

        Raises:
            RefusedError: arguments that it does not take.
        """
        meta = arguments[0] if len(arguments) == 1 else None
        if type(meta) is not dict:
            raise RefusedError(f"has a module without description; {DAMAGED}")
        class_name, state = meta.get("class_name"), meta.get("state")
        source = meta.get("module_src", "")
        if meta.get("type") != "class" or type(class_name) is not str or type(state) is not dict:
            raise RefusedError(f"has a module of unknown kind; {DAMAGED}")
        if type(source) is not str and not (isinstance(source, Span) and source.is_text):
            raise RefusedError(f"has a module without source text; {DAMAGED}")
        return cls(class_name, state)
