"""`bend package` from the command line: exit statuses, one line an error, and what is left behind."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bend.cli import bend
from stylegan.archive import DatasetZip, check_archive, open_dataset
from tests.bend.conftest import Run
from tests.bend.prepare.pictures import photos
from tests.bend.prepare.videos import film
from tests.stylegan.archive.zips import data_set, encoded, noise, write_zip


def test_photos_become_a_data_set(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 3, width=200, height=150)
    (folder / "note.txt").write_text("hello")
    out = tmp_path / "a.zip"
    done = CliRunner().invoke(
        bend, ["package", str(folder), "-o", str(out), "--resolution", "32", "--crop", "tiles:4"]
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{out}: 12 images, 32×32 RGB, ")
    assert "refused 1:\n    not-an-image 1 (note.txt: a text file, not a picture)" in done.stdout
    assert done.stderr == ""
    data = DatasetZip(out)
    assert (len(data), data.resolution) == (12, 32)


def test_several_zips_of_a_size(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for name in ("a", "b"):
        folder = photos(root / name, 4)
        for path in folder.iterdir():
            path.write_bytes(path.read_bytes() + name.encode())
    line = [
        "package",
        str(root),
        "-o",
        str(tmp_path / "s" / "r.zip"),
        "--resolution",
        "16",
        "--labels-from-folders",
    ]
    done = CliRunner().invoke(bend, [*line, "--shard-size", "3"])
    assert done.exit_code == 0, done.output
    told = done.stdout.split(": ")[0]
    assert told.endswith("r-{00000..00002}-of-00003.zip")
    names = [f"r-0000{i}-of-00003.zip" for i in range(3)]
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == names
    whole = CliRunner().invoke(bend, [*line[:3], str(tmp_path / "one.zip"), *line[4:]])
    assert whole.exit_code == 0, whole.output
    shards, one = open_dataset(told), DatasetZip(tmp_path / "one.zip")
    assert [len(DatasetZip(tmp_path / "s" / name)) for name in names] == [3, 3, 2]
    for i in range(8):
        assert all(map(np.array_equal, shards[i], one[i]))
    assert shards.sources == one.sources
    checked = CliRunner().invoke(bend, ["package", "--check", told])
    assert (checked.exit_code, checked.stdout.count(": sound")) == (0, 3)
    known = CliRunner().invoke(bend, ["info", str(tmp_path / "s"), "--json"])
    facts = json.loads(known.stdout)
    assert (facts["num_images"], facts["num_shards"], facts["labels"]) == (8, 3, {"0": 4, "1": 4})

    remote = [*line[:3], "memory://bucket/r.zip", *line[4:], "--shard-size", "5"]
    stored = CliRunner().invoke(bend, remote)
    assert stored.exit_code == 0, stored.output
    assert stored.stdout.startswith("memory://bucket/r-{00000..00001}-of-00002.zip: 8 images")
    again = CliRunner().invoke(bend, [*line, "--shard-size", "5"])
    assert again.exit_code == 1
    assert "exists already; use --force" in str(again.exception) + again.output
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == names
    again = CliRunner().invoke(bend, [*line, "--shard-size", "5", "--force"])
    assert again.exit_code == 0, again.output
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [
        f"r-0000{i}-of-00002.zip" for i in range(2)
    ]


def test_every_option_arrives(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for name in ("a", "b"):
        folder = photos(root / name, 3)
        for path in folder.iterdir():
            path.write_bytes(path.read_bytes() + name.encode())
    out = tmp_path / "a.zip"
    options = "--crop fit --labels-from-folders --max-images 5 --seed 3 --workers 2 --background #102030 "
    options += "--animated first --colour rgb --dedupe exact --min-size 10 --force --json "
    options += "--every 0.5 --max-frames 7 --min-aspect 0.5 --max-aspect 2"
    done = CliRunner().invoke(
        bend, ["package", str(root), "-o", str(out), "--resolution", "16", *options.split()]
    )
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert (facts["num_images"], facts["num_found"], facts["out"]) == (5, 6, str(out))
    assert sum(facts["classes"].values()) == 5
    data = DatasetZip(out)
    assert data.label_dim == 2
    assert data.image(0)[:, 0, 0].tolist() == [0x10, 0x20, 0x30]


def test_check_passes_a_sound_zip_and_names_the_faults_of_others(tmp_path: Path, run: Run) -> None:
    good, bad = data_set(tmp_path / "good.zip"), tmp_path / "bad.zip"
    assert run("package", "--check", good) == (0, f"{good}: sound\n", "")
    write_zip(bad, {"0.png": encoded(noise(0, 8, 8, 3)), "1.png": encoded(noise(0, 9, 9, 3)), "2.png": b"x"})
    status, out, _ = run("package", good, bad, "--check")
    assert status == 1
    assert out.splitlines() == [
        f"{good}: sound",
        f"{bad}: 1.png: 9×9 RGB, but the first image, 0.png, is 8×8 RGB",
        f"{bad}: 2.png: not a picture, whatever its name says",
    ]
    status, out, _ = run("package", "--check", "--json", bad)
    assert status == 1
    assert [fault["kind"] for fault in json.loads(out)[str(bad)]] == ["mixed-size", "unreadable"]


def test_names_in_a_zip_are_printed_and_not_obeyed(tmp_path: Path, run: Run) -> None:
    write_zip(
        tmp_path / "in.zip", {"a.png": encoded(noise(0, 16, 16, 3)), "\x1b]0;pwned\x07\n.png": b"garbage"}
    )
    status, out, err = run("package", tmp_path / "in.zip", "-o", tmp_path / "out.zip", "--resolution", "16")
    assert (status, err) == (0, "")
    assert "\x1b" not in out
    assert "\\x1b]0;pwned\\x07\\n.png: " in out


def test_check_of_what_is_no_zip(tmp_path: Path, run: Run) -> None:
    text = tmp_path / "notes.zip"
    text.write_text("notes")
    assert run("package", "--check", text) == (1, f"{text}: a text file, not a zip\n", "")
    assert run("package", "--check", tmp_path / "none.zip")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ("{in} -o {out}", 2, "--resolution PX are needed"),
        ("{in} --resolution 64", 2, "-o OUT.zip and"),
        ("-o {out} --resolution 64", 2, "SRC"),
        ("{in} --check -o {out}", 2, "writes none"),
        ("{in} -o {out} --resolution many", 2, "not a valid integer"),
        ("{in} -o {out} --resolution 100", 2, "Error: --resolution 100: must be a power of two"),
        ("{in} -o {out} --resolution 64 --crop middle", 2, "Error: --crop middle: must be one of"),
        ("{tmp}/none -o {out} --resolution 64", 1, "none: no such file or folder"),
        ("{tmp}/empty -o {out} --resolution 64", 1, "empty: no pictures in it"),
        ("{tmp}/notes.zip -o {out} --resolution 64", 1, "notes.zip: a text file, not a zip"),
        ("{tmp}/bad -o {out} --resolution 64", 1, "Error: no picture can be used: not-an-image 1"),
        ("{in} -o {tmp}/notes.zip --resolution 64", 1, "exists already; use --force"),
        ("{in} -o {out} --resolution 64 --split test", 2, "Error: --split test: must be NAME:SHARE"),
        (
            "{in} -o {tmp}/not.zip --resolution 64 --split s:.999999",
            1,
            "with this --split, none of the 1 pictures",
        ),
        ("{in} -o {out} --resolution 64 --every 0", 2, "Error: --every 0: must be seconds"),
        ("{in} -o {tmp}/notes.zip/a.zip --resolution 64", 1, "Error: "),
        ("{in} -o {out} --resolution 64 --labels-from-folders", 1, "all pictures lie in one folder"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    tmp_path: Path, run: Run, arguments: str, status: int, words: str
) -> None:
    photos(tmp_path / "in", 1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").write_text("text")
    (tmp_path / "notes.zip").write_text("notes")
    before = sorted(tmp_path.rglob("*"))
    places = {"in": tmp_path / "in", "out": tmp_path / "a.zip", "tmp": tmp_path}
    got, out, err = run("package", *(word.format(**places) for word in arguments.split()))
    assert (got, out) == (status, "")
    assert words in err
    assert "Traceback" not in err
    assert err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_videos_become_a_data_set_and_part_of_them_another(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = itertools.cycle([0, 1, 0])
    monkeypatch.setattr("bend.prepare.split.Splitter._draw", lambda *_: next(sides))
    for number in range(6):
        film(tmp_path / "in" / f"{number}.mp4", 2, first=3 * number)
    out = tmp_path / "a.zip"
    words = ("--resolution", 16, "--every", 0.5, "--max-frames", 3, "--dedupe", "none", "--split", "test:0.4")
    status, stdout, stderr = run("package", tmp_path / "in", "-o", out, *words)
    assert (status, stderr) == (0, "")
    main, test = DatasetZip(out), DatasetZip(tmp_path / "a-test.zip")
    assert (len(main), len(test)) == (12, 6)
    lines = stdout.splitlines()
    assert lines[0].startswith(f"{out}: {len(main)} images, 16×16 RGB, ")
    assert lines[1].startswith(f"  {test.path}: {len(test)} images, ")
    assert lines[2:] == [
        "  18 frames of videos",
        "  6 videos longer than --max-frames, their frames spread over their length",
    ]


def _many_photos(folder: Path, count: int) -> Path:
    photos(folder, 1, width=640, height=480)
    data = (folder / "000.jpg").read_bytes()
    for i in range(count):
        (folder / f"{i:03d}.jpg").write_bytes(data + b"%d" % i)
    return folder


def _command(folder: Path, out: Path, *options: str) -> list[str]:
    start = [sys.executable, "-c", "from bend.cli import main; main()", "package", str(folder)]
    return [*start, "-o", str(out), "--resolution", "256", "--crop", "tiles:4", *options]


def _wait_for_half(process: "subprocess.Popen[str]", folder: Path) -> None:
    """Return once a megabyte lies in `folder`."""
    while not (folder.exists() and any(path.stat().st_size > 1e6 for path in folder.rglob("*"))):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("signum", "status", "workers"),
    [
        (signal.SIGINT, 130, "2"),
        (signal.SIGTERM, 143, "1"),
        pytest.param(signal.SIGINT, 130, "1", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, 143, "2", marks=pytest.mark.slow),
    ],
)
def test_killed_half_way_it_leaves_nothing(tmp_path: Path, signum: int, status: int, workers: str) -> None:
    folder = _many_photos(tmp_path / "in", 400)
    out = tmp_path / "out" / "a.zip"
    command = _command(folder, out, "--workers", workers, "--split", "test:0.4")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        _wait_for_half(process, out.parent)
        process.send_signal(signum)
        stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout) == (status, "")
    assert stderr.split() in (["interrupted"], ["terminated"])
    assert list(out.parent.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("kind", ["photos", "video"])
def test_killed_at_once_it_leaves_no_name_and_can_run_again(tmp_path: Path, workers: str, kind: str) -> None:
    videos, photographs = tmp_path / "videos", tmp_path / "photos"
    folder = film(videos / "a.mp4", 40).parent if kind == "video" else _many_photos(photographs, 100)
    out = tmp_path / "out" / "a.zip"
    options = ["--workers", workers, "--every", "0.1", "--dedupe", "none", "--min-size", "10"]
    for delay in (0.0, 0.05, 0.1):
        with subprocess.Popen(_command(folder, out, *options), stderr=subprocess.PIPE, text=True) as process:
            _wait_for_half(process, out.parent)
            time.sleep(delay)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        left = list(out.parent.iterdir())
        assert left
        assert all(path.name.startswith(".") and ".tmp" in path.name for path in left)
        for path in left:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    whole = subprocess.run(_command(folder, out, *options), check=True, capture_output=True, text=True)
    assert whole.stderr == ""
    assert check_archive(out) == []
    again = tmp_path / "again.zip"
    subprocess.run(_command(folder, again, *options), check=True, capture_output=True)
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_video_interrupted_leaves_no_frames(tmp_path: Path) -> None:
    folder = film(tmp_path / "in" / "a.mp4", 40).parent
    out = tmp_path / "out" / "a.zip"
    for workers in ("1", "2"):
        command = _command(folder, out, "--workers", workers, "--every", "0.1", "--min-size", "10")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            _wait_for_half(process, out.parent)
            process.terminate()
            _, stderr = process.communicate(timeout=120)
        assert (process.returncode, stderr.split()) == (143, ["terminated"])
        assert list(out.parent.iterdir()) == []


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    folder = photos(tmp_path / "in", 4, width=300, height=200)
    out = tmp_path / "out" / "a.zip"
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "from bend.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "package", str(folder), "-o", str(out), "--resolution", "256"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: {out}: File too large\n"
    assert list(out.parent.iterdir()) == []
