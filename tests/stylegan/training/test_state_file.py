"""Two states are kept, and one that is not sound never takes the place of either."""

from pathlib import Path
from typing import Any

import pytest
import torch

from stylegan.run_names import LATEST
from stylegan.training import state_file
from stylegan.training.state_file import PREVIOUS, load_state, save_state
from tests.stylegan.training.tiny import tiny_plan


def save(folder: Path, data: Path, *steps: int) -> Any:
    """Save a state at each of the steps; returns the state."""
    state = tiny_plan(data).state
    for step in steps:
        state.step = step
        save_state(folder, state, {})
    return state


def test_the_one_before_is_kept(tmp_path: Path, data: Path) -> None:
    save(tmp_path, data, 1, 2, 3)
    steps = [torch.load(tmp_path / name, weights_only=True)["step"] for name in (LATEST, PREVIOUS)]
    assert steps == [3, 2]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_state_that_is_read_back_damaged_is_not_kept(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = save(tmp_path, data, 1, 2)
    real = state_file.save_torch

    def spoil(content: dict[str, Any], temporary: Path) -> None:
        real(content, temporary)
        whole = temporary.read_bytes()
        middle = len(whole) // 2
        temporary.write_bytes(
            whole[:middle] + bytes(byte ^ 255 for byte in whole[middle:][:64]) + whole[middle + 64 :]
        )

    monkeypatch.setattr(state_file, "save_torch", spoil)
    state.step = 3
    with pytest.raises(OSError, match="read back it is damaged") as error:
        save_state(tmp_path, state, {})
    assert error.value.filename == str(tmp_path / LATEST)
    steps = [torch.load(tmp_path / name, weights_only=True)["step"] for name in (LATEST, PREVIOUS)]
    assert steps == [2, 1]
    assert load_state(tmp_path, state) == ({}, None)
    assert state.step == 2


def test_a_damaged_state_takes_no_sound_ones_place(tmp_path: Path, data: Path) -> None:
    state = save(tmp_path, data, 1, 2)
    latest = tmp_path / LATEST
    whole = bytearray(latest.read_bytes())
    whole[len(whole) // 2] ^= 255
    latest.write_bytes(whole)
    assert "continuing from state-previous.pt" in str(load_state(tmp_path, state)[1])
    state.step = 3
    save_state(tmp_path, state, {})
    steps = [torch.load(tmp_path / name, weights_only=True)["step"] for name in (LATEST, PREVIOUS)]
    assert steps == [3, 1]
