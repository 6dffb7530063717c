"""Recipes for any folder: which paths become absolute."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bend.anchor import anchored
from bend.recipe import Recipe, Stage


def anchored_option(name: str, value: object) -> object:
    recipe = Recipe(stages=(Stage(do="images", options={name: value}),))
    return anchored(recipe).stages[0].options[name]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.new("L", (4, 4), 255).save("e.png")
    np.savez("e.npz", w=np.zeros((3, 8)))
    (tmp_path / "run").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("network", "run", "{here}/run"),
        ("network", "run@4.5", "{here}/run@4.5"),
        ("network", "faces64", "faces64"),
        ("network", "s3://bucket/run", "s3://bucket/run"),
        ("latents", ["e.npz", "absent.npz"], ["{here}/e.npz", "absent.npz"]),
        ("bend", "erode:3@b8.conv1/mask=image:e.png", "erode:3@b8.conv1/mask=image:{here}/e.png"),
        ("direction", "e.npz:1*2", "{here}/e.npz:1*2"),
        ("direction", "sefa:1*2", "sefa:1*2"),
        ("blend", "7@e.png", "7@{here}/e.png"),
        ("blend", "e.npz:2@left", "{here}/e.npz:2@left"),
        ("seeds", "run", "run"),
    ],
)
def test_paths_of_what_exists_are_absolute(here: Path, name: str, value: object, expected: object) -> None:
    filled = [text.format(here=here) for text in ([expected] if isinstance(expected, str) else expected)]
    assert anchored_option(name, value) == (filled[0] if isinstance(expected, str) else filled)


def test_only_the_file_is_replaced(here: Path) -> None:
    """Not the same letters in the words around it."""
    Path("e.png").rename("e")
    assert anchored_option("bend", "erode:3@b8.conv1/mask=image:e") == f"erode:3@b8.conv1/mask=image:{here}/e"
