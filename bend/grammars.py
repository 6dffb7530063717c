"""The grammars of options whose texts are read only when their work begins: bends, blends, directions, amounts, axes.

A recipe is checked by them before its first stage, so that a slip in the last one is not found behind a training.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from bend.bends.grammar import parse_bend
from bend.blend import parse_blend
from bend.dial.amount import parse_amount
from bend.directions import parse_direction
from bend.errors import UnreadableError, about
from bend.renders.dial import DialConfig
from bend.renders.plane import parse_axis
from bend.style_layers import parse_layers

__all__ = ["check_texts"]

_EVERYWHERE: Mapping[str, Callable[[str], object]] = {
    "bend": parse_bend,
    "blend": parse_blend,
    "direction": parse_direction,
    "dial": parse_amount,
}
_OWN: Mapping[tuple[str, str], Callable[[str], object]] = {
    ("models mix", "amount"): parse_amount,
    ("render dial", "amount"): lambda text: DialConfig(base="", amount=text),
    ("render plane", "x"): parse_axis,
    ("render plane", "y"): parse_axis,
    ("render style-mix", "layers"): parse_layers,
}


def check_texts(do: str, values: Mapping[str, Any]) -> None:
    """Read the texts among the values of a command's options; files that they name need not be there yet.

    Args:
        do: the command, such as `render plane`.
        values: by the option's name, as the command parsed them.

    Raises:
        SettingsError: a text is malformed; names the option.
    """
    for name, value in values.items():
        read = _OWN.get((do, name), _EVERYWHERE.get(name))
        if read is None or value is None:
            continue
        for text in value if isinstance(value, tuple) else (value,):
            with about(name), contextlib.suppress(UnreadableError):
                read(text)
