"""What a dry run foresees, what a resume may change, and what is said at the end."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from stylegan.errors import ConfigError, TrainingError
from tests.bend.training.small import SMALL, finetune
from tests.stylegan.training.tiny import read_state

pytestmark = pytest.mark.usefixtures("few_fakes")


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_dry_run_writes_nothing_and_foresees_the_training(tmp_path: Path, data: Path) -> None:
    report = finetune(tmp_path / "runs", dry_run=True, data=str(data), **SMALL | {"kimg": 2.0})
    assert not list(tmp_path.iterdir())
    facts = report.facts
    assert (facts["kimg"], facts["steps"], facts["batch"], facts["micro_batch"]) == (2.0, 500, 4, 4)
    assert facts["epochs"] == 100
    assert facts["snapshots"] == [0, 0.25, 0.5, 1, 2]
    assert facts["seconds"] == pytest.approx(2 * facts["sec_per_kimg"])
    assert facts["seconds"] > 0
    assert 0.3 < facts["memory_gb"] < 1
    assert facts["hyperparameters"]["r1_gamma"] == pytest.approx(0.0002 * 16**2 / 4)
    assert "100.0 epochs of 20 pictures, 500 steps of 4" in report.text
    assert "GB of memory" in report.text
    assert report.text.endswith("nothing was written")


@pytest.mark.slow
def test_a_dry_run_of_a_resume_counts_what_is_left_and_writes_nothing(tmp_path: Path, data: Path) -> None:
    run = finetune(tmp_path, data=str(data), **SMALL).facts["run"]
    before = contents(tmp_path)
    report = finetune(tmp_path, resume=run, dry_run=True, kimg=0.02)
    assert contents(tmp_path) == before
    assert (report.facts["kimg"], report.facts["kimg_left"], report.facts["steps"]) == (0.02, 0.012, 3)


def test_a_training_is_summed_up_in_a_line(tmp_path: Path, data: Path) -> None:
    report = finetune(tmp_path, data=str(data), **SMALL)
    run = tmp_path / "00000-rocks-none"
    assert report.text.startswith(f"{run}: 0.008 kimg in ")
    assert report.facts["run"] == str(run)
    assert report.stopped_by is None
    again = finetune(tmp_path, resume="latest")
    assert again.text.endswith("nothing left to do, give a larger --kimg to continue")
    longer = finetune(tmp_path, resume="00000-rocks-none", kimg=0.012)
    assert longer.facts["num_images"] == 4
    assert read_state(run)["cur_nimg"] == 12


@pytest.mark.parametrize(
    "options",
    [{"base": "faces64"}, {"batch": 8}, {"mirror": True}, {"seed": 1}, {"aug": "noaug"}, {"freeze_d": 1}],
)
def test_what_a_resumed_run_keeps_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    name = next(iter(options)).replace("_", "-")
    with pytest.raises(ConfigError, match=f"--{name}: a resumed run keeps what it began with"):
        finetune(tmp_path, resume="latest", kimg=1.0, **options)


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no run there to resume"):
        finetune(tmp_path, resume="latest")


def test_data_that_moved_are_asked_for_and_taken(tmp_path: Path, data: Path) -> None:
    here, there = (tmp_path / name for name in ("here.zip", "there.zip"))
    shutil.copy(data, here)
    finetune(tmp_path / "runs", data=str(here), **SMALL)
    here.rename(there)
    with pytest.raises(
        TrainingError, match=r"here\.zip: .* is not there any more; .* say where it is with --data"
    ):
        finetune(tmp_path / "runs", resume="latest", kimg=0.012)
    assert finetune(tmp_path / "runs", resume="latest", kimg=0.012, data=str(there)).facts["kimg"] == 0.012


def test_a_full_disk_does_not_have_a_training_begun_anew(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "snapshot")

    monkeypatch.setattr("stylegan.training.session.save_network", full)
    out = tmp_path / "my runs"  # the command can be pasted in spite of the space
    words = f"snapshot: No space left on device; .* continue with `bend finetune --resume '{out}/00000-rocks-none'`"
    with pytest.raises(TrainingError, match=words):
        finetune(out, data=str(data), **SMALL)
