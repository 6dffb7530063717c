"""Recipes that are written down for what lies here: the files they name are found from any folder.

Stages work in a folder of their own (`bend.pipeline`), so a path that was typed relative to another one would lead
nowhere. Names of networks, addresses and what is not there stay as they are.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bend.bends.grammar import parse_bend
from bend.blend import parse_blend
from bend.directions import parse_direction
from bend.errors import SettingsError
from bend.recipe import Recipe, Stage
from stylegan.checkpoint.known import KNOWN
from stylegan.checkpoint.load import EMBEDDED

__all__ = ["anchored"]

_PATHS = ("network", "dial_from", "base", "bents", "latents", "path_file", "audio")
"""Options that are a path, or a network."""
_SPECS: Mapping[str, Callable[[str], Any]] = {
    "bend": parse_bend,
    "blend": parse_blend,
    "direction": parse_direction,
}
"""Options that may name files among other things, and what reads them."""


def anchored(recipe: Recipe) -> Recipe:
    """The recipe with absolute paths in the place of those of files that are there, from the current folder on."""
    stages = tuple(Stage(do=stage.do, options=_anchored(stage.options)) for stage in recipe.stages)
    return dataclasses.replace(recipe, stages=stages)


def _anchored(options: Mapping[str, Any]) -> dict[str, Any]:
    def changed(name: str, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [changed(name, one) for one in value]
        if name in _PATHS:
            return _path(value)
        return _spec(value, _SPECS[name]) if name in _SPECS else value

    return {name: changed(name, value) for name, value in options.items()}


def _path(text: str) -> str:
    """A file or folder, or `RUN@KIMG`."""
    run, at, kimg = text.rpartition("@")
    for name, rest in ((text, ""), (run, at + kimg)):
        if name and text not in EMBEDDED | KNOWN and Path(name).exists():
            return f"{Path(name).absolute()}{rest}"
    return text


def _spec(text: str, read: Callable[[str], Any]) -> str:
    with contextlib.suppress(SettingsError):  # what it is the command will say
        for file in read(text).files:
            text = text.replace(file, _path(file))
    return text
