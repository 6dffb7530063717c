"""Chance on the page: random bends of the network as it is, drawn and judged one by one while the play goes on.

Throws, crossings and the judge are those of `bend roll`, here in small steps, so that a person who moves something
meanwhile does not wait.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from bend.errors import SettingsError
from bend.picture import Pixels, data_url, encode_webp
from bend.roll.chances import Chance, breed, draw
from bend.roll.judge import Judge
from bend.studio.patch import Module, Patch
from bend.studio.stage import Stage
from stylegan.taps import Tap, taps

__all__ = ["MOST", "throws", "thumbnail"]

MOST = 64
_TRIES = 12
_JUDGED = (0, 1, 2)
_THUMBNAIL = 96


def throws(
    stage: Stage, patch: Patch, *, num: int, seed: int, parents: Sequence[Patch] = ()
) -> Iterator[dict[str, Any] | None]:
    """Throw until enough throws are alive.

    Args:
        stage: the network.
        patch: whose bends are replaced by those thrown; everything else stays.
        num: how many are wanted, at most `MOST`.
        seed: of the random numbers.
        parents: two patches or more to cross; none for new bends.

    Yields:
        None for a dead throw, else `modules` as in a patch, and `picture`, a data URL.
    """
    stage.prepare(patch)
    places = list(taps(stage.G).values())
    home = stage.pictures(_bent(patch, Chance(bends=())), _JUDGED)
    yield None
    judge = Judge(home, stage.discriminator())
    kin = [Chance(bends=parent.bends) for parent in parents if parent.bends]
    found = 0
    for number in range(min(num, MOST) * _TRIES):
        chance = _throw(np.random.default_rng([seed, number]), kin, places)
        picture = _living(stage, patch, chance, judge, home)
        if picture is None:
            yield None
            continue
        found += 1
        yield {"modules": _bent(patch, chance).facts()["modules"], "picture": thumbnail(picture)}
        if found >= min(num, MOST):
            return


def thumbnail(picture: Pixels) -> str:
    """A picture, uint8 `[H, W, 3]`, as the data URL of a small WebP."""
    image = Image.fromarray(picture)
    if image.width != _THUMBNAIL:
        image = image.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    return data_url(encode_webp(np.asarray(image), quality=80, method=0))


def _throw(rng: np.random.Generator, kin: Sequence[Chance], places: Sequence[Tap]) -> Chance:
    if len(kin) < 2:
        return draw(rng, places)
    a, b = rng.choice(len(kin), 2, replace=False)
    return breed(rng, kin[a], kin[b], places)


def _living(stage: Stage, patch: Patch, chance: Chance, judge: Judge, home: Pixels) -> Pixels | None:
    """The first picture of a throw; None for a dead one."""
    try:
        stage.prepare(patch)
        pictures = stage.pictures(_bent(patch, chance), _JUDGED)
        return None if judge.judge(pictures, home).fault else pictures[0]
    except (SettingsError, torch.linalg.LinAlgError):
        return None


def _bent(patch: Patch, chance: Chance) -> Patch:
    modules = tuple(Module(key=f"roll-{i}", spec=spec) for i, spec in enumerate(chance.bends))
    return dataclasses.replace(patch, modules=modules)
