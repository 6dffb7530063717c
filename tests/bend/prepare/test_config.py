"""Settings that make no sense are refused in one line that says what would."""

from pathlib import Path
from typing import Any

import pytest

from bend.errors import SettingsError
from bend.prepare import PackageConfig


def _config(**settings: Any) -> PackageConfig:
    return PackageConfig(**{"sources": (Path("a"),), "out": Path("o.zip"), "resolution": 64} | settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sources": ()}, "nothing to package"),
        ({"out": Path("d/x.tar")}, "x.tar: a data set is written as .zip; name it d/x.zip"),
        ({"out": Path("x")}, "name it x.zip"),
        ({"out": Path()}, "name it data.zip"),
        ({"resolution": 100}, "power of two from 4 to 8192; try 128"),
        ({"resolution": 0}, "try 4"),
        ({"resolution": -64}, "try 4"),
        ({"resolution": 2}, "try 4"),
        ({"resolution": 16384}, "try 8192"),
        ({"crop": "centre"}, "one of center, center-wide, fit, entropy or tiles:N"),
        ({"crop": "tiles"}, "tiles:N"),
        ({"crop": "tiles:0"}, "tiles:N"),
        ({"crop": "tiles:-3"}, "tiles:N"),
        ({"crop": "tiles:999999"}, "tiles:N (N from 1 to 10000)"),
        ({"crop": "tiles:٣"}, "tiles:N"),
        ({"colour": "cmyk"}, "rgb, grey"),
        ({"dedupe": "all"}, "none, exact, near"),
        ({"max_images": 0}, "--max-images 0: must be at least 1"),
        ({"workers": 0}, "--workers 0"),
        ({"min_size": 0}, "--min-size 0"),
        ({"seed": -1}, "--seed -1"),
        ({"every": 0}, "--every 0: must be seconds, from 0.001 to 86400"),
        ({"every": -1.5}, "--every -1.5"),
        ({"every": float("nan")}, "--every nan"),
        ({"every": float("inf")}, "--every inf"),
        ({"max_frames": 0}, "--max-frames 0: must be at least 1"),
        ({"max_frames": 10**9}, "must be at most 1000000"),
        ({"min_aspect": -1}, "--min-aspect -1: must be width over height"),
        ({"max_aspect": float("nan")}, "--max-aspect nan"),
        ({"min_aspect": 2, "max_aspect": 1.5}, "--min-aspect 2: must not be above --max-aspect 1.5"),
        ({"split": ("test",)}, "--split test: must be NAME:SHARE"),
        ({"split": (":0.1",)}, "such as test:0.1"),
        ({"split": ("test:1",)}, "such as test:0.1"),
        ({"split": ("test:0.0",)}, "such as test:0.1"),
        ({"split": ("test:10%",)}, "such as test:0.1"),
        ({"split": ("../x:0.1",)}, "such as test:0.1"),
        ({"split": ("a:0.1", "a:0.2")}, "--split a:0.1 --split a:0.2: give each a name of its own"),
        ({"split": ("a:0.5", "b:0.5")}, "leaves nothing for o.zip"),
        ({"background": "whitish"}, "--background whitish: not a colour"),
    ],
)
def test_nonsense_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        _config(**settings)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_derived_settings() -> None:
    assert _config(crop="tiles:12").num_tiles == 12
    assert _config().num_tiles is None
    assert _config(background="#10203040").background_rgb == (16, 32, 48)
    assert _config().smallest_side == 32
    assert _config(min_size=7).smallest_side == 7
    assert _config(workers=3).num_workers == 3
    assert _config().num_workers >= 1
    assert _config().side_wanted == 160
    assert _config().outs == (Path("o.zip"),)
    assert _config(out=Path("x/o.v2.zip"), split=("test:.1", "val:0.25")).outs == (
        Path("x/o.v2.zip"),
        Path("x/o.v2-test.zip"),
        Path("x/o.v2-val.zip"),
    )
    assert (_config(split=("test:.1",)).needs_looks, _config().needs_looks) == (True, False)
