"""A patch as a recipe: the picture of a moment, or a film, as a stage that `bend run` draws without the studio.

A picture whose point lies in the plane of its seeds is a plane of a single cell, given by numbers alone. Any other
point is in a file of latents beside the recipe.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from bend.automation import Constant, parse
from bend.bends.grammar import BendSpec
from bend.bends.memory import FIRST_FRAME
from bend.config import RenderConfig
from bend.dial.amount import Amount
from bend.number import spelled
from bend.recipe import Recipe, Stage, options_of
from bend.studio.patch import Patch
from bend.studio.shelf import Opened

__all__ = [
    "LATENT",
    "PATH",
    "drawing",
    "drawing_at",
    "film_recipe",
    "frozen_seeds",
    "mapping_bends",
    "still_recipe",
]

LATENT, PATH = "latent.npz", "path.npz"
"""The files beside a recipe: the point and the frozen seeds of a picture, and the path of a film."""


def still_recipe(patch: Patch, config: RenderConfig, title: str, output: str) -> Recipe:
    """The recipe of a picture; it needs `LATENT` beside it unless the place is plain.

    Args:
        patch: with the place of that moment.
        config: of `drawing_at` that moment.
        title: of the recipe.
        output: name of the picture.
    """
    place = patch.place
    if place.is_plain:
        where: dict[str, Any] = {
            "seeds": ",".join(map(str, place.seeds)),
            "x": _at(place.x),
            "y": _at(place.y),
        }
    else:
        where = {"latents": [f"{{recipe}}/{LATENT}"], "seeds": "0,0,0"}
    options = {**where, "grid": "1x1", **options_of(config), "output": output}
    return Recipe(title=title, stages=(Stage(do="render plane", options=options),))


def film_recipe(
    patch: Patch,
    opened: Opened,
    *,
    bends: Iterable[BendSpec],
    seconds: float,
    fps: float,
    scale: int,
    title: str,
    output: str,
) -> Recipe:
    """The recipe of a film of a patch, along the path in `PATH`.

    Args:
        patch: with automations for what varies.
        opened: the networks that draw it.
        bends: instead of the patch's.
        seconds: length.
        fps: frames a second.
        scale: whole factor by which frames are enlarged.
        title: of the recipe.
        output: name of the film.
    """
    # What a bend of the mapping network did over time is in the path; a film maps nothing after it has begun.
    acting = tuple(str(spec) for spec in bends if not (spec.varies and _is_of_mapping(spec)))
    config = dataclasses.replace(drawing(patch, opened), bend=acting, scale=scale, scale_filter="lanczos")
    options = {
        "path": "linear",
        "path_file": f"{{recipe}}/{PATH}",
        **options_of(config),
        "seconds": round(seconds, 3),
        "fps": fps,
        "output": output,
    }
    return Recipe(title=title, stages=(Stage(do="render latent-walk", options=options),))


def drawing(patch: Patch, opened: Opened) -> RenderConfig:
    """The settings that draw a patch over time, with training time limited to that of the run."""
    kimg = opened.standing.held(patch.kimg)
    return RenderConfig(
        network=opened.network,
        weights=patch.weights,
        trunc=str(patch.trunc),
        noise_mode=patch.noise_mode,
        class_index=patch.class_index,
        bend=tuple(map(str, patch.bends)),
        kimg=None if kimg is None else str(kimg),
        dial_from=opened.base,
        dial="1" if opened.base is None else patch.dial.amount,
    )


def drawing_at(patch: Patch, opened: Opened, seconds: float) -> RenderConfig:
    """The settings that draw a patch as it is at a moment.

    If its place is not plain, seeds are rows of `LATENT`: that of the point, then those of `frozen_seeds`.
    """
    config = drawing(patch, opened)
    rows = {} if patch.place.is_plain else {seed: row for row, seed in enumerate(frozen_seeds(patch), 1)}
    return dataclasses.replace(
        config,
        trunc=patch.trunc.at(seconds),
        bend=tuple(str(_bend_at(spec, seconds, rows)) for spec in patch.bends),
        kimg=None if config.kimg is None else spelled(parse(config.kimg).at(seconds)),
        dial="1" if patch.dial.base is None else str(_amount_at(patch.dial.parsed(), seconds)),
    )


def frozen_seeds(patch: Patch) -> list[int]:
    """The seeds whose maps `freeze` holds, each once."""
    held = dict.fromkeys(map(_frozen_seed, patch.bends))
    return [seed for seed in held if seed != FIRST_FRAME]


def mapping_bends(patch: Patch, seconds: float) -> tuple[BendSpec, ...]:
    """The bends of the mapping network, as they are at a moment."""
    return tuple(_bend_at(spec, seconds, {}) for spec in patch.bends if _is_of_mapping(spec))


def _is_of_mapping(spec: BendSpec) -> bool:
    return "mapping" in spec.tap


def _frozen_seed(spec: BendSpec) -> int:
    """The seed whose map a bend holds; `FIRST_FRAME` for none."""
    return int(spec.values[0].at(0.0)) if spec.name == "freeze" else FIRST_FRAME


def _bend_at(spec: BendSpec, seconds: float, rows: Mapping[int, int]) -> BendSpec:
    """A bend as it is at a moment, with frozen seeds replaced by their rows."""
    mask = spec.mask
    if mask is not None:
        mask = dataclasses.replace(mask, numbers=tuple(Constant(n.at(seconds)) for n in mask.numbers))
    values = tuple(Constant(value.at(seconds)) for value in spec.values)
    row = rows.get(_frozen_seed(spec))
    return dataclasses.replace(
        spec,
        values=values if row is None else (Constant(row),),
        mix=Constant(spec.mix.at(seconds)),
        mask=mask,
    )


def _amount_at(amount: Amount, seconds: float) -> Amount:
    """How far a dial is turned at a moment."""
    return Amount(
        overall=Constant(amount.overall.at(seconds)),
        layers=tuple((name, Constant(value.at(seconds))) for name, value in amount.layers),
    )


def _at(value: float) -> str:
    return f"seeds={spelled(value)}..{spelled(value)}"
