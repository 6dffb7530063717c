"""Bends: the signal and the weights of a generator, changed while it draws (network bending, arXiv 2005.12420).

`row` and `table` list the bends, `grammar` reads and prints them, `player` puts them in place. Each bend is one small
function, in the file of its kind: `pointwise`, `geometry`, `morphology`, `filters`, `channels`, `memory`, `weights`.
Names load lazily, since reading a bend needs no network.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bend.bends.grammar import BendSpec, parse_bend, parse_bends
    from bend.bends.player import BendPlay, open_bends
    from bend.bends.table import BENDS

__all__ = ["BENDS", "BendPlay", "BendSpec", "open_bends", "parse_bend", "parse_bends"]

_MODULES = {
    "BENDS": "bend.bends.table",
    "BendPlay": "bend.bends.player",
    "BendSpec": "bend.bends.grammar",
    "open_bends": "bend.bends.player",
    "parse_bend": "bend.bends.grammar",
    "parse_bends": "bend.bends.grammar",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'bend.bends' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
