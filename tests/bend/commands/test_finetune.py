"""`bend finetune` as a person types it: exit statuses, one line an error, and signals to a real process."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from bend.cli import bend
from stylegan.checkpoint import list_snapshots, load_network, save_network
from stylegan.discriminator import Discriminator
from tests.bend.conftest import Run
from tests.bend.tiny import tiny_generator
from tests.stylegan.training.tiny import assert_equal, read_state, write_zip

pytestmark = pytest.mark.usefixtures("few_fakes")

SIZE = ["--batch", "4", "--channel-base", "256", "--channel-max", "16", "--w-dim", "16"]
SMALL = ["--base", "none", *SIZE, "--device", "cpu", "--no-score"]
MAIN = "from bend.cli import main; main()"
SLEEPY = """
import signal, time
from stylegan.training import loop

def sleep(*args, **options):
    heeding = signal.getsignal(signal.SIGTERM)
    print("step", flush=True)
    while signal.getsignal(signal.SIGTERM) is heeding:
        time.sleep(0.01)
    print("noted", flush=True)
    time.sleep(600)

loop.train_step = sleep
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of good and bad inputs."""
    folder = tmp_path_factory.mktemp("files")
    write_zip(folder / "rocks.zip")
    write_zip(folder / "labelled.zip", classes=3)
    write_zip(folder / "large.zip", num=2, resolution=32)
    write_zip(folder / "grey.zip", num=2, channels=1)
    (folder / "text.zip").write_text("these are not pictures\n")
    (folder / "empty.zip").touch()
    (folder / "photos").mkdir()
    (folder / "photos" / "a.png").touch()
    (folder / "cut.zip").write_bytes((folder / "rocks.zip").read_bytes()[:5000])
    (folder / "pointer.pkl").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    (folder / "damaged.safetensors").write_bytes(b"\x00" * 100)
    for name, c_dim in (("faces", 0), ("classes", 3)):
        D = Discriminator(c_dim, 16, 3, channel_base=256, channel_max=16)
        G, G_ema = (tiny_generator(c_dim=c_dim, seed=seed) for seed in (0, 1))
        save_network(folder / f"{name}.safetensors", G=G, D=D, G_ema=G_ema)
    save_network(folder / "average.safetensors", G_ema=tiny_generator())
    return folder


def test_a_training_from_a_base_to_its_end(tmp_path: Path, files: Path, run: Run) -> None:
    status, out, err = run(
        *("finetune", "--data", files / "rocks.zip", "--base", files / "faces.safetensors", "--kimg", 0.008),
        *("--batch", 4, "--mirror", "--freeze-d", 1, "--freeze-g", 4, "--device", "cpu", "-o", tmp_path),
    )
    folder = tmp_path / "00000-rocks-faces"
    assert status == 0
    assert out.startswith(f"{folder}: 0.008 kimg in ")
    assert out.count("\n") == 1
    assert "tick 0     kimg 0.008" in err
    assert [kimg for kimg, _ in list_snapshots(folder)] == [0, 0.008]
    before, after = load_network(f"{folder}@0"), load_network(folder)
    assert before.G is not None
    assert after.G is not None
    assert torch.equal(before.G.synthesis.b4.const, after.G.synthesis.b4.const)
    assert not torch.equal(before.G.synthesis.b16.conv1.weight, after.G.synthesis.b16.conv1.weight)
    assert after.meta.base == "faces"
    assert (folder / "score.json").is_file()


def test_a_base_without_discriminator_trains_and_says_so(tmp_path: Path, files: Path, run: Run) -> None:
    status, out, err = run(
        *(
            "finetune",
            "--data",
            files / "rocks.zip",
            "--base",
            files / "average.safetensors",
            "--kimg",
            0.004,
        ),
        *("--batch", 4, "--device", "cpu", "--no-score", "--json", "-o", tmp_path),
    )
    assert status == 0
    facts = json.loads(out)
    assert (facts["kimg"], facts["stopped_by"]) == (0.004, None)
    assert "the base has no discriminator: one starts from random weights" in err
    assert "no discriminator" in (Path(facts["run"]) / "log.txt").read_text()


def test_a_dry_run_tells_time_and_memory_and_writes_nothing(tmp_path: Path, files: Path, run: Run) -> None:
    out_folder = tmp_path / "runs"
    status, out, _ = run(
        *("finetune", "--data", files / "labelled.zip", "--base", files / "faces.safetensors", "--kimg", 2),
        *("--batch", 4, "--device", "cpu", "--dry-run", "-o", out_folder),
    )
    assert status == 0
    assert not out_folder.exists()
    assert "100.0 epochs of 20 pictures" in out
    assert "GB of memory" in out
    assert "the labels of the data are ignored" in out
    assert out.endswith("nothing was written\n")


def test_resuming_the_latest_run(tmp_path: Path, files: Path, run: Run) -> None:
    assert run("finetune", "--data", files / "rocks.zip", *SMALL, "--kimg", 0.004, "-o", tmp_path)[0] == 0
    status, out, err = run("finetune", "--resume", "latest", "--kimg", 0.008, "-o", tmp_path)
    assert status == 0
    assert "00000-rocks-none: 0.008 kimg" in out
    assert err.startswith("resuming ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing --data and --kimg"),
        (["--data", "rocks.zip"], "Missing --kimg"),
        (["--kimg", "1"], "Missing --data"),
        (["--data", "rocks.zip", "--kimg", "much"], "'much' is not a valid float"),
        (
            ["--data", "rocks.zip", "--kimg", "1", "--aug", "maybe"],
            "'maybe' is not one of 'ada', 'fixed', 'noaug'",
        ),
        (["--data", "rocks.zip", "--kimg", "1", "--preset", "x"], "is not one of 'auto'"),
        (["--data", "rocks.zip", "--kimg", "1", "surplus"], "unexpected extra argument"),
        (
            ["--data", "rocks.zip", "--kimg", "1", "--channel-max", "8"],
            "--channel-max: faces64 decides it; leave it out, or start from --base none",
        ),
        (
            ["--data", "rocks.zip", "--kimg", "1", "--aug", "fixed", "--ada-kimg", "8"],
            "--ada-kimg: --aug fixed does not use it; leave it out, or choose --aug ada",
        ),
        (
            ["--data", "rocks.zip", "--kimg", "1", "--aug", "noaug", "--aug-pipe", "blit"],
            "--aug-pipe: --aug noaug augments nothing; leave one out",
        ),
    ],
)
def test_usage_errors_exit_2(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(bend, ["finetune", *arguments])
    assert result.exit_code == 2
    assert message in result.output


BAD = {
    "no data": ("--data missing.zip", "missing.zip: no such file"),
    "a text file": ("--data text.zip", "text.zip: a text file, not a zip"),
    "an empty file": ("--data empty.zip", "empty.zip: an empty file"),
    "half a zip": ("--data cut.zip", "cut.zip: a truncated or damaged zip"),
    "a folder of pictures": ("--data photos", "photos: not a file; make a zip of a folder with"),
    "a folder with half a zip": ("--data .", "cut.zip: a truncated or damaged zip"),
    "no base": ("--base missing.safetensors", "missing.safetensors: no such network"),
    "a pointer as base": ("--base pointer.pkl", "pointer.pkl: a git-lfs pointer"),
    "a damaged base": ("--base damaged.safetensors", "damaged.safetensors: "),
    "a zip as base": ("--base rocks.zip", "rocks.zip: "),
    "another resolution": (
        "--data large.zip",
        "pictures of 32 pixels, but faces.safetensors makes 16; run `bend",
    ),
    "grey pictures": (
        "--data grey.zip",
        "pictures with 1 channels, but faces.safetensors makes 3; run `bend",
    ),
    "no labels": (
        "--base classes.safetensors",
        "labels of width 0, but classes.safetensors is conditional with 3",
    ),
    "no length": ("--kimg 0", "--kimg must be"),
    "no number": ("--kimg nan", "--kimg must be"),
    "an unknown pipe": ("--aug-pipe sparkle", "--aug-pipe sparkle: choose from blit"),
    "unknown moments": ("--snapshots often", "--snapshots often: write log, every:K"),
    "an unknown device": ("--device tpu", "--device tpu: unknown"),
    "an absent device": ("--device cuda:77", "--device cuda:77: "),
    "too much frozen": ("--freeze-d 99", "--freeze-d 99: this discriminator has 7 such layers"),
    "all frozen": ("--freeze-g 16", "--freeze-g 16: would freeze all"),
    "no augmentation with a probability": ("--aug noaug --aug-p 0.5", "--aug-p: "),
    "a run that is none": ("--resume rocks.zip", "rocks.zip: no state-latest.pt there"),
    "a batch for a resumed run": ("--resume latest --batch 8", "--batch: a resumed run keeps"),
}

REFUSED_AT_ONCE = ("no length", "no number", "unknown moments", "no augmentation with a probability")
"""What makes no sense whatever the data and the base: a usage error."""


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path, files: Path, run: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    arguments, message = BAD[name]
    given = ["--data", "rocks.zip", "--base", "faces.safetensors", "--kimg", "0.004", "--device", "cpu"]
    monkeypatch.chdir(files)
    before = sorted(files.rglob("*"))
    words = arguments.split() if "--resume" in arguments else [*given, *arguments.split()]
    status, out, err = run("finetune", *words, "-o", tmp_path / "runs")
    assert status == (2 if name in REFUSED_AT_ONCE else 1)
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert message in err
    assert sorted(files.rglob("*")) == before
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, files: Path, run: Run) -> None:
    (tmp_path / "file").touch()
    status, _, err = run(
        "finetune", "--data", files / "rocks.zip", *SMALL, "--kimg", 1, "-o", tmp_path / "file" / "x"
    )
    assert status == 1
    assert err.count("\n") == 1
    assert err.startswith("Error: ")


class TestSignals:
    """A process of its own, as a terminal or a job queue stops it."""

    @staticmethod
    @contextlib.contextmanager
    def finetune(*arguments: object, before: str = "", **options: Any) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-c", before + MAIN, "finetune", *map(str, arguments)],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    @staticmethod
    def wait_for(path: Path, text: str, process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + 300
        while not path.exists() or text not in path.read_text():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    @pytest.mark.slow
    @pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
    def test_the_state_is_saved_and_the_status_says_so(
        self, tmp_path: Path, files: Path, number: int, status: int
    ) -> None:
        run = tmp_path / "my runs" / "00000-rocks-none"
        arguments = (
            "--data",
            files / "rocks.zip",
            *SMALL,
            "--kimg",
            99,
            "--snapshots",
            "0.004",
            "-o",
            run.parent,
        )
        with self.finetune(*arguments) as process:
            self.wait_for(run / "log.txt", "snapshot snapshot-000000.004", process)
            process.send_signal(number)
            out, err = process.communicate(timeout=300)
        assert process.returncode == status
        assert f"interrupted, continue with `bend finetune --resume '{run}'`" in out
        assert err.endswith("interrupted, state saved\n")
        assert "Traceback" not in err
        state = read_state(run)
        assert state["step"] >= 1
        assert (run / "timeline.png").is_file()
        ticks = [json.loads(line) for line in (run / "stats.jsonl").read_text().splitlines()]
        assert sum(tick["Loss/scores/real"]["num"] for tick in ticks) == state["cur_nimg"]

    @pytest.mark.slow
    def test_a_second_signal_stops_at_once(self, tmp_path: Path, files: Path) -> None:
        arguments = ("--data", files / "rocks.zip", *SMALL, "--kimg", 99, "-o", tmp_path)
        with self.finetune(*arguments, before=SLEEPY) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "step\n"
            process.send_signal(signal.SIGTERM)
            assert process.stdout.readline() == "noted\n"
            assert process.poll() is None  # the step is to end first
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=300)  # the step takes ten minutes
        assert process.returncode == 143
        assert "Traceback" not in err
        assert read_state(tmp_path / "00000-rocks-none")["step"] == 0

    @pytest.mark.slow
    def test_a_kill_loses_nothing_but_time(self, tmp_path: Path, files: Path, run: Run) -> None:
        arguments = (
            "--data",
            files / "rocks.zip",
            *SMALL,
            "--kimg",
            0.12,
            "--save-minutes",
            0,
            "--snapshots",
            "0.02",
        )
        folder = tmp_path / "killed" / "00000-rocks-none"
        with self.finetune(*arguments, "-o", folder.parent) as process:
            self.wait_for(folder / "log.txt", "kimg 0.040", process)
            process.kill()
            process.wait()
        assert read_state(folder)["cur_nimg"] < 120
        with self.finetune("--resume", folder) as process:
            self.wait_for(folder / "log.txt", "kimg 0.080", process)
            process.kill()
            process.wait()
        assert run("finetune", "--resume", folder)[0] == 0
        assert run("finetune", *arguments, "-o", tmp_path / "whole")[0] == 0
        whole = tmp_path / "whole" / folder.name
        assert_equal(read_state(folder), read_state(whole))
        for _, path in list_snapshots(whole):
            assert path.read_bytes() == (folder / path.name).read_bytes()
        shutil.rmtree(whole)
