"""What can be checked in a recipe before its first stage: endings that no stage writes, sizes and bends of known
networks.

A network is known if it comes with bend, if it is a file that is named by its whole path and that no earlier stage
writes, or, as `{finetune}`, if the base of that training is: training keeps the architecture. All others are left to
the stage itself.
"""

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from bend.bends.grammar import parse_bend
from bend.bends.player import check_places
from bend.config import RenderConfig
from bend.errors import SettingsError, UnreadableError
from bend.film.video import FILM_SUFFIXES
from bend.options.records import default_of
from bend.picture import PICTURE_SUFFIXES
from bend.sizes import open_size
from stylegan.checkpoint import outline_network
from stylegan.checkpoint.export import WRITERS
from stylegan.checkpoint.load import EMBEDDED
from stylegan.errors import StyleganError
from stylegan.generator import Generator
from stylegan.training.config import TrainConfig

__all__ = ["Foresight", "check_endings"]

_FINETUNE = "{finetune}"
_PICTURES, _FILMS = tuple(PICTURE_SUFFIXES), ("", *FILM_SUFFIXES)  # without an ending, a folder of frames
_EITHER = tuple(dict.fromkeys((*_PICTURES, *_FILMS)))
_ENDINGS: Mapping[str, tuple[str, ...]] = {
    "models convert": tuple(WRITERS),
    "models export": tuple(WRITERS),
    "models grow": (".safetensors",),
    "models mix": (".safetensors",),
    "project": (".npz",),
    "render clusters": _PICTURES,
    "render dial": _EITHER,
    "render grid": _PICTURES,
    "render latent-walk": _FILMS,
    "render plane": _PICTURES,
    "render style-mix": _PICTURES,
    "render timeline": (*_EITHER, ".html"),
    "render truncation": _EITHER,
}


def check_endings(do: str, values: Mapping[str, Any]) -> None:
    """Refuse outputs with endings that the command does not write.

    Args:
        do: the command, such as `render plane`.
        values: of its options, as the command parsed them.

    Raises:
        SettingsError: says what it writes.
    """
    is_ours = do == "models export" and (values.get("half") or values.get("delta_from") is not None)
    wanted = {"output": (".safetensors",) if is_ours else _ENDINGS.get(do), "film": _FILMS}
    for name, endings in wanted.items():
        output = values.get(name)
        if output is None or endings is None or PurePath(output).suffix.lower() in endings:
            continue
        folder = ", or a folder" if "" in endings else ""
        raise SettingsError(
            f"{name} {output}: {do} writes no such file; end it with {', '.join(filter(None, endings))}{folder}"
        )


class Foresight:
    """Checks the stages of a recipe, one after the other, against the networks that are known."""

    def __init__(self) -> None:
        self._trained: str | None = None  # the base of the last training
        self._written: set[str] = set()  # names of outputs so far

    def check(self, do: str, values: Mapping[str, Any], networks: Mapping[str, str]) -> None:
        """Refuse a size or a bend that the network of a stage does not have.

        Args:
            do: the command.
            values: of its options, as the command parsed them.
            networks: those of them that name a network, with `{finetune}` as it stands there.

        Raises:
            SettingsError: says what the network has.
        """
        name = "base" if do == "finetune" else "network" if "network" in values else "bents"
        text = networks.get(name, default_of(TrainConfig, "base") if do == "finetune" else values.get(name))
        if isinstance(text, str) and text.startswith(_FINETUNE):
            text = self._trained
        G = (
            _known(text)
            if isinstance(text, str) and not self._written.intersection(Path(text).parts)
            else None
        )
        if do == "finetune":
            self._trained = text if G is not None else None
        self._written.update(PurePath(values[key]).name for key in ("output", "out") if values.get(key))
        if G is None:
            return
        for text in values.get("bend") or ():
            with contextlib.suppress(UnreadableError):
                check_places(parse_bend(text), G)
        if do != "finetune" and values.get("size") is not None:
            names = [field.name for field in dataclasses.fields(RenderConfig)]
            open_size(RenderConfig(**{name: values[name] for name in names if name in values}), G)


def _known(text: str) -> Generator | None:
    """The outline of a network that no stage can influence; None for any other."""
    if text not in EMBEDDED and not Path(text).is_absolute():
        return None
    with contextlib.suppress(StyleganError, OSError):  # told by the stage itself
        return outline_network(text).generator()
    return None
