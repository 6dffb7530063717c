"""`bend finetune --gpus 2`: one run, one process that speaks, and an exit status that tells how it ended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stylegan.training.tiny import read_state, write_zip

SMALL = ["--base", "none", "--batch", "8", "--channel-base", "256", "--channel-max", "16", "--w-dim", "16"]
SMALL += ["--mapping-layers", "2", "--device", "cpu", "--no-score", "--kimg", "0.08"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_zip(tmp_path_factory.mktemp("data") / "rocks.zip")


def finetune(data: Path, out: Path, *more: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bend", "finetune", "--gpus", "2", "--data", str(data), "-o", str(out)]
    return subprocess.run(
        [*command, *SMALL, *more],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_a_signal_to_any_process_ends_all_with_the_state_saved(data: Path, tmp_path: Path) -> None:
    done = finetune(data, tmp_path, BEND_FAILPOINT="step@rank1.0:term:3")
    assert done.returncode == 143, done.stderr
    (run,) = tmp_path.iterdir()
    assert read_state(run)["step"] == 3
    assert done.stdout.splitlines() == [
        line
        for line in done.stdout.splitlines()
        if line.startswith(str(run)) and "interrupted, continue with" in line
    ]
    assert done.stderr.count("interrupted, state saved") == 1
    assert (run / "stats.jsonl").read_bytes().count(b"\n") == 1


@pytest.mark.slow
def test_an_interrupt_of_the_first(data: Path, tmp_path: Path) -> None:
    done = finetune(data, tmp_path, BEND_FAILPOINT="step@rank0.0:int:3")
    assert done.returncode == 130, done.stderr
    (run,) = tmp_path.iterdir()
    assert read_state(run)["step"] == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "failpoint", "words"),
    [
        (["--data", "nowhere.zip"], "", "nowhere.zip: no such file"),
        (["--batch", "4"], "", "--batch 4: too few for 2 processes"),
        ([], "step@rank1.0:ENOSPC:3", "No space left on device"),
        (
            [],
            "step@rank1.0:kill:3",
            "is lost; what was saved is intact, run the command again (a training with --resume)",
        ),
        ([], "step@rank0.0:kill:3", "the first process was ended by SIGKILL"),
    ],
)
def test_what_fails_any_process_is_one_line(
    data: Path, tmp_path: Path, more: list[str], failpoint: str, words: str
) -> None:
    done = finetune(data, tmp_path, *more, **({"BEND_FAILPOINT": failpoint} if failpoint else {}))
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(told) == 1, done.stderr
    assert words in told[0]
    assert "Traceback" not in done.stderr
