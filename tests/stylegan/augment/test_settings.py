"""The pipe's keyword arguments and the named sets."""

import math
from dataclasses import FrozenInstanceError

import pytest

from stylegan.augment.settings import AUGMENT_PIPES, AugmentSettings
from stylegan.errors import ConfigError


def test_everything_is_off_by_default() -> None:
    settings = AugmentSettings()
    assert not settings.moves_pixels
    assert not settings.changes_colour
    assert settings.imgfilter == settings.noise == settings.cutout == 0


def test_named_sets_grow_letter_by_letter() -> None:
    assert list(AUGMENT_PIPES) == [
        *("blit", "geom", "color", "filter", "noise", "cutout"),
        *("bg", "bgc", "bgcf", "bgcfn", "bgcfnc"),
    ]
    parts = [AUGMENT_PIPES[name] for name in ("blit", "geom", "color", "filter", "noise", "cutout")]
    merged: dict[str, float] = {}
    for name, part in zip(["blit", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc"], parts, strict=True):
        merged |= part
        assert AUGMENT_PIPES[name] == merged
    assert len(merged) == 15
    assert set(merged.values()) == {1.0}


def test_named_sets_are_accepted() -> None:
    assert AugmentSettings(**AUGMENT_PIPES["geom"]).moves_pixels
    assert not AugmentSettings(**AUGMENT_PIPES["geom"]).changes_colour
    assert AugmentSettings(**AUGMENT_PIPES["color"]).changes_colour


def test_bands_may_come_as_a_list_and_nothing_changes_later() -> None:
    settings = AugmentSettings(imgfilter_bands=[1, 0, 0, 0])  # type: ignore[arg-type]
    assert settings.imgfilter_bands == (1, 0, 0, 0)
    with pytest.raises(FrozenInstanceError):
        settings.xflip = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"xflip": -1}, "xflip is -1"),
        ({"scale_std": math.nan}, "scale_std is nan"),
        ({"noise": math.inf}, "noise is inf"),
        ({"imgfilter_bands": (1, 1, 1)}, "takes 4 multipliers, not 3"),
        ({"imgfilter_bands": (1, 1, 1, -2)}, "imgfilter_bands is -2"),
    ],
)
def test_refuses_bad_values(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        AugmentSettings(**settings)
