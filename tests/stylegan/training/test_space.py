"""Room on the disk."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stylegan.errors import TrainingError
from stylegan.training.memory import snapshot_bytes, state_bytes
from stylegan.training.plan import make_plan
from stylegan.training.session import open_run
from stylegan.training.space import check_space
from stylegan.training.state import TrainState
from tests.stylegan.training.tiny import tiny_config, tiny_plan

Free = Callable[[int], None]


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Free:
    """Sets the free space of every disk, in bytes."""
    usage = type(shutil.disk_usage("/"))

    def set_free(num_bytes: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1 << 40, 1 << 40, num_bytes))

    return set_free


@pytest.fixture
def state(data: Path) -> TrainState:
    return tiny_plan(data).state


def test_enough_room_says_nothing(tmp_path: Path, state: TrainState) -> None:
    assert check_space(tmp_path / "not" / "yet", state, num_snapshots=3, dtype=None) is None


def test_too_many_snapshots_are_warned_about(tmp_path: Path, state: TrainState, free: Free) -> None:
    free(3 * state_bytes(state) + 5 * snapshot_bytes(state, torch.float16))
    assert check_space(tmp_path, state, num_snapshots=5, dtype=torch.float16) is None
    warning = check_space(tmp_path, state, num_snapshots=5, dtype=None)
    assert warning is not None
    assert warning.startswith("5 snapshots take")


def test_no_room_for_the_state_is_refused(tmp_path: Path, state: TrainState, free: Free) -> None:
    free(3 * state_bytes(state) - 1)
    with pytest.raises(TrainingError, match=r"free, but saving the state takes .* MB; free some space"):
        check_space(tmp_path, state, num_snapshots=0, dtype=None)


def test_states_that_are_there_already_need_no_room(tmp_path: Path, state: TrainState, free: Free) -> None:
    for name in ("state-latest.pt", "state-previous.pt"):
        (tmp_path / name).write_bytes(bytes(state_bytes(state)))
    free(state_bytes(state))
    assert check_space(tmp_path, state, num_snapshots=0, dtype=None) is None


def test_no_run_folder_is_made_without_room(tmp_path: Path, data: Path, free: Free) -> None:
    free(1000)
    with pytest.raises(TrainingError, match="free some space"):
        open_run(make_plan(tiny_config(data)), tmp_path / "runs")
    assert not list(tmp_path.iterdir())


def test_a_warning_stands_in_the_notes(tmp_path: Path, data: Path, free: Free) -> None:
    plan = tiny_plan(data)
    free(3 * state_bytes(plan.state) + 1)
    session = open_run(plan, tmp_path)
    session.close()
    assert "2 snapshots take" in plan.notes[0]
