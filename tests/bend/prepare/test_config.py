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
        ({"resolution": 100}, "power of two from 4 to 8192; try 128"),
        ({"resolution": 0}, "try 4"),
        ({"resolution": -64}, "try 4"),
        ({"resolution": 2}, "try 4"),
        ({"resolution": 16384}, "try 8192"),
        ({"crop": "centre"}, "one of center, center-wide, fit, entropy or tiles:N"),
        ({"crop": "tiles"}, "tiles:N"),
        ({"crop": "tiles:0"}, "tiles:N"),
        ({"crop": "tiles:-3"}, "tiles:N"),
        ({"crop": "tiles:999999"}, "tiles:N"),
        ({"crop": "tiles:٣"}, "tiles:N"),
        ({"colour": "cmyk"}, "rgb, grey"),
        ({"dedupe": "all"}, "none, exact, near"),
        ({"max_images": 0}, "--max-images 0: must be at least 1"),
        ({"workers": 0}, "--workers 0"),
        ({"min_size": 0}, "--min-size 0"),
        ({"seed": -1}, "--seed -1"),
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
