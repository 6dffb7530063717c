"""`bend render …` as a person types it: what is written, what is said, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from bend.cli import bend
from bend.lazy import LazyGroup
from bend.provenance import read_provenance
from tests.bend.conftest import Run
from tests.bend.pixels import pixels


def test_group_lists_its_commands(run: Run) -> None:
    status, out, _ = run("render", "--help")
    assert status == 0
    for name in ("images", "grid", "plane", "latent-walk"):
        assert f"  {name} " in out


def test_help_needs_no_torch() -> None:
    code = """
import sys
from bend.cli import bend
from bend.lazy import LazyGroup
for name in ("images", "grid", "plane", "latent-walk"):
    try:
        bend(["render", name, "--help"], prog_name="bend")
    except SystemExit:
        pass
print(sorted({"torch", "numpy", "PIL", "av", "tqdm"} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert done.stdout.count("Example: bend render") == 4


def test_images(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    typed = (
        "render",
        "images",
        "--network",
        tiny_network,
        "--seeds",
        "0-2,9",
        "--device",
        "cpu",
        "-o",
        folder,
    )
    assert run(*typed) == (0, f"{folder}: 4 pictures, 16×16\n", "")
    assert sorted(p.name for p in folder.iterdir()) == [f"seed000{i}.png" for i in (0, 1, 2, 9)]
    assert pixels(folder / "seed0009.png").std() > 10
    assert run(*typed) == (0, f"{folder}: 4 pictures, 16×16, 4 already there\n", "")
    note = read_provenance(folder / "seed0009.png")
    assert note is not None
    assert note.command == f"bend render images --network {tiny_network} --seeds 0-2,9 --device cpu"
    assert str(folder) not in note.to_json()


def test_grid(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    status, out, _ = run("render", "grid", "--network", tiny_network, "--grid", "4x2", "--json", "-o", sheet)
    assert status == 0
    assert json.loads(out) == {"output": str(sheet), "num_pictures": 1, "num_drawn": 1, "size": [64, 32]}
    assert pixels(sheet).shape == (32, 64, 3)


def test_plane(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "map.webp"
    typed = ("--seeds", "1,2,3", "--grid", "3x5", "--extent", "0.2", "--scale", "2")
    assert run("render", "plane", "--network", tiny_network, *typed, "-o", sheet)[0] == 0
    assert pixels(sheet).shape == (160, 96, 3)


def test_latent_walk_film(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    film = tmp_path / "walk.mp4"
    typed = ("--seeds", "0-3", "--grid", "2x1", "--loop", "--seconds", "0.5", "--scale", "2", "--crf", "10")
    assert run("render", "latent-walk", "--network", tiny_network, *typed, "-o", film)[0] == 0
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    assert len(frames) == 12
    assert frames[0].shape == (32, 64, 3)
    assert np.abs(frames[0] - frames[6]).mean() > 5
    # the left walk turns back at its second keyframe: the way home is the way out
    assert np.abs(frames[3] - frames[9])[:, :32].mean() < 5


def test_latent_walk_frames_are_taken_up_again(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    typed = ("render", "latent-walk", "--network", tiny_network, "--seconds", "1", "--path", "circle")
    folder = tmp_path / "frames"
    assert run(*typed, "-o", folder)[1] == f"{folder}: 24 pictures, 16×16\n"
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "frame000005.png").unlink()
    assert run(*typed, "-o", folder)[1] == f"{folder}: 24 pictures, 16×16, 23 already there\n"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first


@pytest.mark.parametrize(
    ("typed", "status", "message"),
    [
        ("images --seeds 3-1 -o OUT", 2, "runs backwards"),
        ("images --trunc nan -o OUT", 2, "not finite"),
        ("images", 2, "Missing option '-o'"),
        ("grid --grid 2 -o OUT.png", 2, "not a grid"),
        ("images --network nowhere.pkl -o OUT", 1, "nowhere.pkl: no such network"),
        ("images --network NET --class 1 -o OUT", 1, "this network has no classes; leave --class out"),
        ("truncation --network NET --loop -o OUT.png", 2, "--loop: is for films"),
        ("timeline --network NET --fps 5 -o OUT.png", 2, "--fps: is for films"),
        ("grid --network NET -o OUT.tif", 1, ".tif is not a picture format; choose from .png"),
        ("grid --network NET --seeds 0-4 --grid 2x2 -o OUT.png", 1, "--grid 2x2 holds 4 pictures"),
        ("plane --network NET --seeds 1 -o OUT.png", 1, "give three"),
        (
            "latent-walk --network NET -o OUT.avi",
            1,
            ".avi is not a film format; choose from .mp4, .webp, .gif, .apng",
        ),
        ("latent-walk --network NET --seeds 1 -o OUT.mp4", 1, "a slerp walk wants 2 or more seeds"),
        ("latent-walk --network NET --seeds 0-4 --grid 2x1 -o OUT.mp4", 1, "give a multiple of 2"),
        ("latent-walk --network NET --seconds 0 -o OUT.mp4", 2, "seconds 0.0 is out of range"),
        ("latent-walk --network NET --trunc 1e300 -o OUT.mp4", 2, "beyond 1e+12"),
        ("latent-walk --network NET --fps 60 -o OUT.gif", 1, "at most 50 frames a second"),
    ],
)
def test_mistakes_are_told_in_one_line_and_leave_nothing(
    run: Run, tiny_network: Path, tmp_path: Path, typed: str, status: int, message: str
) -> None:
    line = typed.replace("OUT", str(tmp_path / "out" / "work")).replace("NET", str(tiny_network))
    ended, out, err = run("render", *line.split())
    assert ended == status
    assert out == ""
    assert message in err
    assert err.startswith("Error: ")
    assert len(err.splitlines()) == 1
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_existing_file_is_kept_without_force(run: Run, tiny_network: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    sheet.write_text("mine")
    typed = ("render", "grid", "--network", tiny_network, "--grid", "2x1", "-o", sheet)
    status, _, err = run(*typed)
    assert (status, err) == (1, f"Error: {sheet} exists; give another name, or --force to overwrite it\n")
    assert sheet.read_text() == "mine"
    assert run(*typed, "--force")[0] == 0
    assert pixels(sheet).shape == (16, 32, 3)


@pytest.mark.slow
def test_interrupted_film_is_absent(tiny_network: Path, tmp_path: Path) -> None:
    process = _start_endless(tiny_network, tmp_path / "film.mp4")
    _wait_for(lambda: any(tmp_path.iterdir()))  # the film under its temporary name
    time.sleep(0.5)  # let some frames be written
    _stop(process, signal.SIGINT, status=130)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_terminated_frames_stay(tiny_network: Path, tmp_path: Path) -> None:
    process = _start_endless(tiny_network, tmp_path / "frames")
    _wait_for(lambda: len(list(tmp_path.glob("frames/frame*.png"))) > 3)
    _stop(process, signal.SIGTERM, status=143)
    left = sorted((tmp_path / "frames").iterdir())
    assert [path.name for path in left] == [f"frame{i:06d}.png" for i in range(len(left))]
    assert all(pixels(path).shape == (16, 16, 3) for path in left)


def _start_endless(network: Path, output: Path) -> subprocess.Popen[bytes]:
    typed = ["render", "latent-walk", "--network", str(network), "--seconds", "5000", "-o", str(output)]
    return subprocess.Popen(
        [sys.executable, "-c", "from bend.cli import main; main()", *typed],
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def _stop(process: subprocess.Popen[bytes], number: signal.Signals, status: int) -> None:
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    assert process.returncode == status, err.decode()
    assert b"Traceback" not in err


def _wait_for(condition: Callable[[], bool], timeout_s: float = 300) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the render never began"
        time.sleep(0.02)


def test_table_rows_are_the_commands() -> None:
    context = bend.make_context("bend", ["render"])
    group = bend.get_command(context, "render")
    assert isinstance(group, LazyGroup)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        assert command.name == name
