"""Takes in a row."""

from pathlib import Path

import numpy as np
import pytest

from bend.errors import SettingsError
from bend.studio.config import StudioConfig
from bend.studio.patch import read_patch
from bend.studio.recording import Recording
from bend.studio.shelf import Shelf
from bend.studio.stage import Stage
from bend.studio.take import LONGEST
from tests.bend.runs import write_run

W = np.zeros(4, np.float32)
FIRST, SECOND = read_patch({"class_index": 0}), read_patch({"class_index": 1})


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


def test_a_take_of_which_nothing_could_be_drawn_is_none(stage: Stage) -> None:
    recording = Recording()
    recording.begin(stage)
    with pytest.raises(SettingsError, match="nothing was recorded"):
        recording.end(1.0)
    recording.begin(stage)
    recording.add(0.0, FIRST, W)
    recording.part(2.0, SECOND, stage)
    assert [take.patch for take in recording.end(3.0)] == [FIRST]


def test_a_take_is_of_the_network_that_is_there_at_its_first_frame(stage: Stage, tmp_path: Path) -> None:
    shelf = Shelf(StudioConfig(network=str(write_run(tmp_path / "runs")), out=tmp_path / "out", device="cpu"))
    run = Stage(shelf, shelf.first, device="cpu")
    timed = read_patch({"network": run.standing.name, "kimg": "1"})
    recording = Recording()
    recording.begin(stage)
    assert recording.part(0.0, timed, run) is None
    recording.add(0.0, timed, W)
    (take,) = recording.end(1.0)
    assert take.played().kimg == timed.kimg


def test_a_take_is_held_until_it_is_saved(stage: Stage) -> None:
    recording = Recording()
    recording.begin(stage)
    recording.add(0.0, FIRST, W)
    (take,) = recording.end(2.0)
    recording.add(3.0, FIRST, W)
    assert recording.part(3.0, SECOND, stage) is None
    assert recording.end(4.0) == [take]
    assert take.seconds == 2.0
    recording.has_saved(take)
    assert not recording.is_on


def test_the_longest_take_ends_by_itself_once(stage: Stage) -> None:
    recording = Recording()
    assert not recording.add(LONGEST + 1, FIRST, W)
    recording.begin(stage)
    told = [recording.add(seconds, FIRST, W) for seconds in (0.0, LONGEST, LONGEST + 1, LONGEST + 2)]
    assert told == [False, False, True, False]
    (take,) = recording.end(LONGEST + 9)
    assert take.seconds == LONGEST
    assert take.path()[0][-1] <= LONGEST + 0.01
