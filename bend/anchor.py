"""Makes the paths in a recipe absolute, so that it can be played from any folder.

Stages work in a folder of their own (`bend.pipeline`), where a path relative to another folder would lead nowhere.
Names of networks, addresses, and files that do not exist stay as they are.
"""

import contextlib
import dataclasses
import re
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
from stylegan.run_names import readings

__all__ = ["anchored", "anchored_path"]

_PATHS = ("network", "dial_from", "base", "bents", "latents", "path_file", "audio")
"""Options that are a path or a network."""
_SPECS: Mapping[str, Callable[[str], Any]] = {
    "bend": parse_bend,
    "blend": parse_blend,
    "direction": parse_direction,
}
"""Options that may name files among other things, and their parsers."""


def anchored(recipe: Recipe) -> Recipe:
    """The recipe with absolute paths for all files that exist, as seen from the current folder."""
    stages = tuple(Stage(do=stage.do, options=_anchored(stage.options)) for stage in recipe.stages)
    return dataclasses.replace(recipe, stages=stages)


def anchored_path(text: str) -> str:
    """A file or folder, or `RUN@KIMG`, by its full path; anything else as it is."""
    for name, rest in readings(text):
        if name and text not in EMBEDDED | KNOWN and Path(name).exists():
            return f"{Path(name).absolute()}{rest}"
    return text


def _anchored(options: Mapping[str, Any]) -> dict[str, Any]:
    def changed(name: str, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [changed(name, one) for one in value]
        if name in _PATHS:
            return anchored_path(value)
        return _spec(value, _SPECS[name]) if name in _SPECS else value

    return {name: changed(name, value) for name, value in options.items()}


def _spec(text: str, read: Callable[[str], Any]) -> str:
    """A bend, blend or direction: a file stands at its beginning, or after `:` or `@`."""
    with contextlib.suppress(SettingsError):  # the command itself will refuse it
        for file in read(text).files:
            text = anchored_path(file).join(re.split(rf"(?:^|(?<=[:@])){re.escape(file)}(?=$|[:*@/])", text))
    return text
