"""Nothing that a page sends is believed."""

from typing import Any

import pytest

from bend.errors import SettingsError
from bend.studio.patch import Patch, read_patch

MODULE = {
    "key": "a",
    "name": "rotate",
    "values": ["lfo(sine,0..90,4s)"],
    "tap": "b8.conv1",
    "channels": "random:0.5:seed3",
    "mask": "ellipse:0.5,0.5,0.2,0.3",
    "soft": 0.1,
    "mix": "0.7",
    "edge": "wrap",
    "on": True,
}


def test_a_patch_comes_back_as_it_went() -> None:
    facts = {
        "network": "faces64",
        "place": {"mode": "pca", "seeds": [5, 6, 7], "axes": [2, 3], "x": 1.5, "y": -2},
        "wander": {"on": True, "path": "journey", "speed": 2, "reach": 0.1},
        "trunc": "lfo(sine,0..1,4s)",
        "kimg": "2.5",
        "dial": {"base": "faces64", "amount": "b4=0,b16=1.2"},
        "modules": [MODULE],
    }
    patch = read_patch(facts)
    assert read_patch(patch.facts()) == patch
    assert patch.moves
    assert str(patch.bends[0]).startswith("rotate:lfo(sine,0..90,4s)@b8.conv1/channels=random:0.5:seed3")
    assert read_patch({}) == Patch()
    assert not Patch().moves


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ([], "not a table"),
        ({"place": {"x": float("nan")}}, "out of range"),
        ({"place": {"x": 10**400}}, "out of range"),
        ({"place": {"x": "1"}}, "not a number"),
        ({"place": {"seeds": [1, 2]}}, "three seeds"),
        ({"place": {"seeds": [1, 2, -1]}}, "out of range"),
        ({"place": {"seeds": [1, 2, 0.5]}}, "not whole"),
        ({"place": {"to": {"to": {}}}}, "one place"),
        ({"trunc": "import os"}, "not a number"),
        ({"trunc": True}, "neither"),
        ({"noise_mode": "loud"}, "unknown"),
        ({"kimg": []}, "neither"),
        ({"dial": {"amount": "b4=zero"}}, "not a number"),
        ({"modules": [{}] * 33}, "at most 32"),
        ({"modules": [{**MODULE, "name": "explode"}]}, "not a bend"),
        ({"modules": [{**MODULE, "values": []}]}, "it takes 1"),
        ({"modules": [{**MODULE, "mask": "image:/etc/passwd"}]}, "cannot name files"),
        ({"modules": [{**MODULE, "mask": "~image:secret.png"}]}, "cannot name files"),
        ({"modules": [{**MODULE, "tap": "x" * 500}]}, "at most 400"),
        ({"modules": [{**MODULE, "edge": "cliff"}]}, "unknown"),
    ],
)
def test_what_is_no_patch_is_refused_in_one_line(facts: Any, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as refusal:
        read_patch(facts)
    assert "\n" not in str(refusal.value)
