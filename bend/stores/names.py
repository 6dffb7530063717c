"""The addresses that local copies stand for, for use in messages.

Objects on a store are worked on as local copies. Summaries, errors and the notes inside pictures name the address that
was typed, never the copy.
"""

import contextlib
import contextvars
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bend.stores.address import Address

__all__ = ["called", "spoken", "spoken_values", "stands_for"]

_NAMES: contextvars.ContextVar[Mapping[str, str]] = contextvars.ContextVar("store_names", default={})  # noqa: B039


@contextlib.contextmanager
def called() -> Iterator[None]:
    """Forget at the end of the block which copies stand for which addresses."""
    token = _NAMES.set({})
    try:
        yield
    finally:
        _NAMES.reset(token)


def stands_for(local: Path, address: Address) -> Path:
    """Note that `local` is the copy of `address`; returns `local`."""
    names = {**_NAMES.get(), str(local): str(address)}
    _NAMES.set(dict(sorted(names.items(), key=lambda pair: -len(pair[0]))))  # the longest paths first
    return local


def spoken(text: str) -> str:
    """A text with the paths of local copies replaced by their addresses."""
    for local, address in _NAMES.get().items():
        text = text.replace(local, address).replace(json.dumps(local)[1:-1], address)
    return text


def spoken_values(value: Any) -> Any:
    """`spoken` for all texts in nested mappings and sequences."""
    if isinstance(value, str):
        return spoken(value)
    if isinstance(value, Mapping):
        return {spoken_values(key): spoken_values(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(spoken_values, value))
    return value
