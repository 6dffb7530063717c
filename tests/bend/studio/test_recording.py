"""Takes in a row."""

import numpy as np
import pytest

from bend.errors import SettingsError
from bend.studio.config import StudioConfig
from bend.studio.patch import read_patch
from bend.studio.recording import Recording
from bend.studio.shelf import Shelf
from bend.studio.stage import Stage

W = np.zeros(4, np.float32)
FIRST, SECOND = read_patch({"class_index": 0}), read_patch({"class_index": 1})


@pytest.fixture
def stage(config: StudioConfig) -> Stage:
    shelf = Shelf(config)
    return Stage(shelf, shelf.first, device="cpu")


def test_another_class_is_another_take(stage: Stage) -> None:
    recording = Recording()
    recording.add(0.0, FIRST, W)
    assert recording.part(0.0, SECOND, stage) is None
    assert not recording.is_on
    recording.begin(stage)
    recording.add(0.0, FIRST, W)
    assert recording.part(1.0, FIRST, stage) is None
    assert recording.part(2.0, SECOND, stage) == "class"
    recording.add(0.0, SECOND, W)
    takes = recording.end(1.5)
    assert [(take.patch, take.seconds, take.resolution) for take in takes] == [
        (FIRST, 2.0, 16),
        (SECOND, 1.5, 16),
    ]
    assert not recording.is_on


def test_a_take_of_which_nothing_could_be_drawn_is_none(stage: Stage) -> None:
    recording = Recording()
    recording.begin(stage)
    with pytest.raises(SettingsError, match="nothing was recorded"):
        recording.end(1.0)
    recording.begin(stage)
    recording.add(0.0, FIRST, W)
    recording.part(2.0, SECOND, stage)
    assert [take.patch for take in recording.end(3.0)] == [FIRST]
