"""Names of run folders and of what lies in them."""

import dataclasses
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylegan.errors import TrainingError
from stylegan.launch import Launch
from stylegan.run_names import LATEST, fakes_name
from stylegan.training.run_folder import (
    create_run,
    find_elsewhere,
    find_launched,
    find_run,
    forget_elsewhere,
    mark_elsewhere,
    mark_launch,
    network_label,
    save_sheet,
)


def test_runs_are_numbered_and_named_after_data_and_base(tmp_path: Path) -> None:
    parent = tmp_path / "runs"
    assert create_run(parent, "rocks", "faces64").name == "00000-rocks-faces64"
    assert create_run(parent, "my rocks (2)", "faces64").name == "00001-my-rocks-2-faces64"
    (parent / "00041-x-y").mkdir()
    (parent / "99-other").mkdir()
    assert create_run(parent, "felsen-größe", "../").name == "00042-felsen-größe-unnamed"


def test_a_long_name_still_fits_a_file_system(tmp_path: Path) -> None:
    run = create_run(tmp_path, "岩" * 200, "faces64")
    assert run.is_dir()
    assert run.name.startswith("00000-岩岩岩")


@pytest.mark.parametrize(
    ("base", "label"),
    [
        ("none", "none"),
        ("faces64", "faces64"),
        ("nets/metfaces.safetensors", "metfaces"),
        ("nets/ffhq-res256.pkl", "ffhq-res256"),
        ("550000.pt", "550000"),
        ("runs/00000-rocks-faces64", "00000-rocks-faces64"),
        ("runs/00000-rocks-faces64@0.25", "00000-rocks-faces64@0.25"),
        ("snapshot-000000.250.safetensors", "snapshot-000000.250"),
    ],
)
def test_what_a_base_is_called(base: str, label: str) -> None:
    assert network_label(base) == label


def test_names_of_sheets() -> None:
    assert fakes_name(4) == "fakes000004.png"
    assert fakes_name(0) == "fakes000000.png"
    assert fakes_name(0.25) == "fakes000000.250.png"
    assert sorted([fakes_name(10.5), fakes_name(2.125)]) == [fakes_name(2.125), fakes_name(10.5)]


def test_the_latest_run_is_the_one_with_the_highest_number_and_a_state(tmp_path: Path) -> None:
    for name, state in {
        "00002-a-b": "state-latest.pt",
        "00010-a-b": "state-previous.pt",  # killed between the two renames of a save
        "00011-a-b": "other.pt",
        "notes": "state-latest.pt",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / state).touch()
    assert find_run("latest", tmp_path) == tmp_path / "00010-a-b"
    assert find_run(str(tmp_path / "00002-a-b"), Path("elsewhere")) == tmp_path / "00002-a-b"
    assert find_run("00002-a-b", tmp_path) == tmp_path / "00002-a-b"


@pytest.mark.parametrize("text", ["latest", "00000-x-y", "/nowhere"])
def test_no_run_to_resume(tmp_path: Path, text: str) -> None:
    with pytest.raises(TrainingError, match=r"no run there|no state-latest"):
        find_run(text, tmp_path / "runs")


def test_sheets_are_laid_out_in_rows(tmp_path: Path) -> None:
    pictures = [np.full([3, 2, 2], i, np.uint8) for i in range(5)]
    save_sheet(tmp_path / "x.png", pictures, columns=3)
    with Image.open(tmp_path / "x.png") as sheet:
        assert sheet.mode == "RGB"
        assert np.asarray(sheet)[::2, ::2, 0].tolist() == [[0, 1, 2], [3, 4, 0]]


def test_grey_sheets_are_grey(tmp_path: Path) -> None:
    save_sheet(tmp_path / "x.png", [np.full([1, 2, 2], 9, np.uint8)], columns=1)
    with Image.open(tmp_path / "x.png") as sheet:
        assert (sheet.mode, sheet.size) == ("L", (2, 2))


def test_a_launch_finds_the_last_run_it_has_begun(tmp_path: Path) -> None:
    def launch(name: str) -> Launch:
        return Launch(rank=0, size=2, local_rank=0, local_size=2, name=name, num_restarts=1)

    assert find_launched(tmp_path / "nowhere", launch("a")) is None
    for name, by in (("00000-x", "a"), ("00001-x", "a"), ("00002-x", "b"), ("00003-x", "a")):
        (tmp_path / name).mkdir()
        mark_launch(tmp_path / name, launch(by))
        if name != "00003-x":  # lost before it saved anything
            (tmp_path / name / LATEST).touch()
    mark_launch(tmp_path / "00002-x", None)  # a process alone leaves no mark
    assert find_launched(tmp_path, launch("a")) == tmp_path / "00001-x"
    assert find_launched(tmp_path, launch("b")) == tmp_path / "00002-x"
    assert find_launched(tmp_path, launch("c")) is None
    assert find_launched(tmp_path, None) is None


def test_a_host_knows_where_the_run_of_its_launch_lies(tmp_path: Path) -> None:
    launch = Launch(rank=1, size=2, local_rank=0, local_size=1, name="rocks", num_restarts=0)
    other = dataclasses.replace(launch, name="leaves")
    assert find_elsewhere(tmp_path / "runs", launch) is None
    mark_elsewhere(tmp_path / "runs", launch, "alpha", Path("runs/00000-x"))
    assert find_elsewhere(tmp_path / "runs", launch) == "runs/00000-x on alpha"
    assert find_elsewhere(tmp_path / "runs", other) is None
    run = tmp_path / "runs" / "00001-x"
    run.mkdir()
    (run / LATEST).touch()
    mark_launch(run, other)
    assert find_elsewhere(tmp_path / "runs", other) == f"{run} on {socket.gethostname()}"
    forget_elsewhere(tmp_path / "runs")
    forget_elsewhere(tmp_path / "runs")
    assert find_elsewhere(tmp_path / "runs", launch) is None
