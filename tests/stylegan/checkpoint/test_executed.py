"""What other readers would run is listed, and not run."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from stylegan.checkpoint.executed import find_executed
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.legacy.writers import (
    MODULE_SRC,
    generator,
    official_names,
    old_network,
    write_official,
    write_rosinality,
)


class Trap:
    """Creates a file when unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.canary}'",)


@pytest.mark.parametrize("protocol", [2, 4])
def test_an_official_pickle(tmp_path: Path, protocol: int) -> None:
    path = write_official(tmp_path / "a.pkl", {"G": generator(), "G_ema": generator(2)}, protocol, p=0.5)
    found = find_executed(path)
    assert found.calls["torch_utils.persistence._reconstruct_persistent_obj"] > 10
    assert found.calls["torch.storage._load_from_bytes"] > 10
    assert (found.strange, found.refusal) == ((), "")
    assert list(found.sources.values()) == [len(MODULE_SRC)]


def test_a_rosinality_file(tmp_path: Path) -> None:
    for legacy in (False, True):
        path = write_rosinality(tmp_path / "a.pt", {"g_ema": generator(w_dim=8)}, is_legacy=legacy)
        found = find_executed(path)
        assert found.calls["torch._utils._rebuild_tensor_v2"] > 10
        assert found.calls["torch.FloatStorage"] == 0
        assert not found.sources
        assert not found.strange


@pytest.mark.parametrize("form", ["pickle", "zip", "legacy"])
def test_a_trap_is_told_and_not_sprung(tmp_path: Path, form: str) -> None:
    canary = tmp_path / "canary"
    root = {"G": Trap(canary), "t": torch.zeros(2)}
    path = tmp_path / "a.pkl"
    if form == "pickle":
        path.write_bytes(pickle.dumps(root))
    else:
        torch.save(root, path, _use_new_zipfile_serialization=form == "zip")
    found = find_executed(path)
    assert found.strange == (f"{os.system.__module__}.system",)
    assert found.calls[found.strange[0]] == 1
    assert not canary.exists()


def test_names_are_fit_for_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(b"\x80\x02c\x1b[31mos\nsys\xc3\xa9tem\n.")
    found = find_executed(path)
    assert found.strange == ("\\x1b[31mos.sys\\xe9tem",)


def test_a_damaged_file_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_official(tmp_path / "a.pkl", {"G_ema": generator()})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = find_executed(path)
    assert "cut short" in found.refusal
    assert found.calls["torch.storage._load_from_bytes"] > 0


def test_a_tensorflow_pickle(tmp_path: Path) -> None:
    G = generator()
    path = tmp_path / "a.pkl"
    with official_names():
        path.write_bytes(pickle.dumps((old_network(G, "G"), old_network(G, "G"), old_network(G, "Gs")), 4))
    found = find_executed(path)
    assert found.calls["dnnlib.tflib.network.Network"] >= 3
    assert found.sources


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        find_executed(tmp_path / "gone.pkl")
