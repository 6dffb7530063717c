"""k steps, a crash, a resume: the same as no crash, bit for bit on the CPU.

Everything that a training can have on is on: adaptive augmentation under way, mirrored pictures, labels, style mixing,
path length, R1, gradient accumulation, a ramp-up of the average.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from stylegan.atomic import temporary_name
from stylegan.errors import TrainingError
from stylegan.training import loop
from stylegan.training.config import TrainConfig
from stylegan.training.loop import TrainSummary, train
from stylegan.training.plan import make_plan
from stylegan.training.session import open_run, resume_run
from tests.stylegan.archive.tars import samples, write_tar
from tests.stylegan.training import tiny
from tests.stylegan.training.conftest import Crash, crashed
from tests.stylegan.training.tiny import assert_equal, read_state, write_zip

KIMG = 0.072  # 18 steps of 4: R1 at steps 0 and 16, path length at every 4th, ADA moves after every 4th


def tiny_config(data: Path, **settings: Any) -> TrainConfig:
    """A tiny training that also accumulates gradients."""
    return tiny.tiny_config(data, **{"micro_batch": 2} | settings)


def begin(labelled: Path, parent: Path, **settings: Any) -> Path:
    """Train in `parent` until the end or a crash; returns the run folder."""
    config = tiny_config(labelled, **{"kimg": KIMG, "snapshots": "0.016", "save_minutes": 1e9} | settings)
    session = open_run(make_plan(config), parent)
    train(session)
    return session.run


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, labelled: Path) -> Path:
    """The run folder of a training that nothing interrupted."""
    return begin(labelled, tmp_path_factory.mktemp("unbroken"))


def assert_same_run(run: Path, unbroken: Path) -> None:
    """State and last snapshot are the same."""
    state, expected = read_state(run), read_state(unbroken)
    assert expected["step"] == 18
    assert expected["ada"]["p"] != 0.5
    assert expected["pl_mean"] > 0
    assert_equal(state, expected)
    for name in ("snapshot-000000.016.safetensors", "snapshot-000000.072.safetensors", "fakes000000.072.png"):
        assert (run / name).read_bytes() == (unbroken / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.parametrize("step", [0, 1, 6, 17])
def test_a_crash_and_a_resume_change_nothing(
    tmp_path: Path, labelled: Path, unbroken: Path, crash_before: Crash, step: int
) -> None:
    crash_before(step)
    session = open_run(make_plan(tiny_config(labelled, kimg=KIMG, snapshots="0.016")), tmp_path)
    crashed(session)
    crash_before(-1)
    train(resume_run(session.run, {}))
    assert_same_run(session.run, unbroken)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_shards_are_gone_on_with_as_one_zip_is(
    tmp_path: Path, crash_before: Crash, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "cache"))
    for i in range(3):
        path = tmp_path / f"rocks-{i:05d}.{kind}"
        if kind == "zip":
            write_zip(path, num=7, classes=2, seed=i)
        else:
            write_tar(
                path,
                samples(i * 7, i * 7 + 7, classes=2, resolution=16),
                mode="w:gz" if "gz" in kind else "w",
            )
    config = tiny_config(tmp_path / f"rocks-*.{kind}", kimg=KIMG, snapshots="0.016")
    whole = open_run(make_plan(config), tmp_path / "whole")
    assert whole.run.name == "00000-rocks-none"
    train(whole)
    crash_before(5)
    session = open_run(make_plan(config), tmp_path / "part")
    crashed(session)
    crash_before(-1)
    train(resume_run(session.run, {}))
    assert_same_run(session.run, whole.run)
    if kind == "zip":
        write_zip(tmp_path / "rocks-00002.zip", num=7, classes=2, seed=9)
        with pytest.raises(TrainingError, match="not the data set"):
            resume_run(session.run, {})


@pytest.mark.slow
def test_many_crashes_with_a_state_after_every_step(
    tmp_path: Path, labelled: Path, unbroken: Path, crash_before: Crash
) -> None:
    crash_before(3)
    config = tiny_config(labelled, kimg=KIMG, snapshots="0.016", save_minutes=0)
    session = open_run(make_plan(config), tmp_path)
    crashed(session)
    for step in (4, 9, 16):
        crash_before(step)
        session = resume_run(session.run, {})
        assert session.plan.state.step == {4: 3, 9: 4, 16: 9}[step]
        crashed(session)
    crash_before(-1)
    train(resume_run(session.run, {}))
    assert_same_run(session.run, unbroken)


def test_the_same_pictures_are_seen_in_the_same_order(
    tmp_path: Path, labelled: Path, crash_before: Crash, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, str]] = []

    def noted(
        state: Any, hyper: Any, reals: torch.Tensor, real_c: torch.Tensor, *rest: Any, **options: Any
    ) -> int:
        digest = hashlib.sha256(reals.numpy().tobytes() + real_c.numpy().tobytes()).hexdigest()
        seen.append((state.step, digest))
        state.step += 1
        state.cur_nimg += len(reals)
        return int(options["micro_batch"])

    monkeypatch.setattr(loop, "train_step", noted)
    begin(labelled, tmp_path / "whole")
    whole = dict(seen)
    seen.clear()
    crash_before(7)
    session = open_run(make_plan(tiny_config(labelled, kimg=KIMG, save_minutes=0)), tmp_path / "broken")
    crashed(session)
    crash_before(-1)
    train(resume_run(session.run, {}))
    assert dict(seen) == whole
    assert len(seen) == len(whole) == 18 == len(set(whole.values()))


@pytest.mark.slow
def test_a_finished_run_goes_on(tmp_path: Path, labelled: Path, unbroken: Path) -> None:
    run = begin(labelled, tmp_path, kimg=0.04)
    summary = train(resume_run(run, {"kimg": KIMG}))
    assert (summary.kimg, summary.num_images) == (KIMG, 32)
    assert_same_run(run, unbroken)
    assert (run / "snapshot-000000.040.safetensors").is_file()
    options = json.loads((run / "training_options.json").read_text())
    assert options["config"]["kimg"] == KIMG


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"data/0") + 4096] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path) -> None:
    path.unlink()


def be_text(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\n")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory, labelled: Path) -> Path:
    """A run of four steps, with a state of step 0 before its last."""
    return begin(labelled, tmp_path_factory.mktemp("short"), kimg=0.016)


@pytest.fixture
def copy(tmp_path: Path, short: Path) -> Path:
    """A copy of that run, to be damaged."""
    run = tmp_path / short.name
    shutil.copytree(short, run)
    return run


class TestDamage:
    """A state file that cannot be used."""

    @pytest.mark.parametrize("damage", [cut, flip_a_bit, empty, remove, be_text])
    def test_the_one_before_is_taken_and_said(self, copy: Path, damage: Callable[[Path], None]) -> None:
        damage(copy / "state-latest.pt")
        session = resume_run(copy, {"kimg": KIMG})
        session.close()
        assert session.plan.state.step == 0
        assert session.plan.notes[0].startswith(("state-latest.pt: ", "no state-latest.pt"))
        assert session.plan.notes[0].endswith("continuing from state-previous.pt")

    @pytest.mark.slow
    def test_the_one_before_gives_the_same_result(self, copy: Path, unbroken: Path) -> None:
        flip_a_bit(copy / "state-latest.pt")
        train(resume_run(copy, {"kimg": KIMG}))
        assert_same_run(copy, unbroken)
        lines = (copy / "stats.jsonl").read_text().splitlines()
        assert [round(json.loads(line)["Progress/kimg"]["mean"], 3) for line in lines] == [0.016, 0.072]

    def test_both_damaged_is_one_line(self, copy: Path) -> None:
        cut(copy / "state-latest.pt")
        empty(copy / "state-previous.pt")
        before = {path: path.read_bytes() for path in copy.iterdir() if path.name != ".lock"}
        with pytest.raises(TrainingError, match="cannot be resumed") as refusal:
            resume_run(copy, {})
        assert "\n" not in str(refusal.value)
        assert "state-latest.pt: " in str(refusal.value)
        assert "start from a snapshot with --base" in str(refusal.value)
        assert {path: path.read_bytes() for path in copy.iterdir() if path.name != ".lock"} == before

    def test_a_refused_resume_leaves_no_lock(self, copy: Path) -> None:
        for path in copy.glob("state-*.pt"):
            path.unlink()
        for _ in range(2):
            with pytest.raises(TrainingError, match="cannot be resumed"):
                resume_run(copy, {})


class TestData:
    """A run goes on with the pictures it began with, wherever they lie."""

    @pytest.fixture
    def run(self, tmp_path: Path) -> Path:
        """A finished run whose data lie beside it."""
        data = write_zip(tmp_path / "rocks.zip")
        session = open_run(make_plan(tiny_config(data, kimg=0.004)), tmp_path / "runs")
        train(session)
        return session.run

    def test_changed_data_are_refused(self, tmp_path: Path, run: Path) -> None:
        write_zip(tmp_path / "rocks.zip", seed=1)
        with pytest.raises(
            TrainingError, match=r"rocks\.zip: not the data set that 00000-rocks-none was started with"
        ):
            resume_run(run, {})

    def test_moved_data_are_found_where_one_says(self, tmp_path: Path, run: Path) -> None:
        moved = tmp_path / "elsewhere.zip"
        (tmp_path / "rocks.zip").rename(moved)
        assert self.go_on(run, data=str(moved)).kimg == 0.008
        assert resume_run(run, {}).close() is None  # and remembered

    def test_another_working_directory_does_not_matter(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_zip(tmp_path / "rocks.zip")
        monkeypatch.chdir(tmp_path)
        session = open_run(make_plan(tiny_config(Path("rocks.zip"), kimg=0.004)), Path("runs"))
        train(session)
        monkeypatch.chdir(tmp_path / "runs")
        assert self.go_on(Path("00000-rocks-none")).kimg == 0.008

    @staticmethod
    def go_on(run: Path, **overrides: Any) -> TrainSummary:
        return train(resume_run(run, {"kimg": 0.008, **overrides}))


def test_a_resume_needs_no_base(tmp_path: Path, labelled: Path, short: Path) -> None:
    base = tmp_path / "base.safetensors"
    shutil.copy(short / "snapshot-000000.016.safetensors", base)
    settings: dict[str, Any] = {"base": str(base), "ema_kimg": 0.01, "micro_batch": 4}
    whole = begin(labelled, tmp_path / "whole", kimg=0.012, **settings)
    part = begin(labelled, tmp_path / "part", kimg=0.008, **settings)
    base.unlink()
    train(resume_run(part, {"kimg": 0.012}))
    assert_equal(read_state(part), read_state(whole))


@pytest.mark.parametrize("kimg", [None, 0.016, 0.01])
def test_a_finished_run_that_is_not_made_longer_stays_as_it_is(
    copy: Path, short: Path, kimg: float | None
) -> None:
    summary = train(resume_run(copy, {} if kimg is None else {"kimg": kimg}))
    assert summary.num_images == 0
    for name in ("state-latest.pt", "stats.jsonl", "snapshot-000000.016.safetensors"):
        assert (copy / name).read_bytes() == (short / name).read_bytes()


def test_a_resume_keeps_the_micro_batch_whatever_is_free(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = json.loads((copy / "training_options.json").read_text())
    options["config"]["micro_batch"] = None  # as if none had been given
    (copy / "training_options.json").write_text(json.dumps(options))
    monkeypatch.setattr("stylegan.training.memory.free_bytes", lambda device: 0)
    for given, expected in ({}, 2), ({"micro_batch": 1}, 1):
        session = resume_run(copy, given)
        session.close()
        assert session.plan.micro_batch == expected


def test_a_resume_on_another_kind_of_device_fits_the_micro_batch_anew(copy: Path) -> None:
    options = json.loads((copy / "training_options.json").read_text())
    options["config"]["micro_batch"] = None
    options |= {"device": "cuda:1", "micro_batch": 1}  # as if a small GPU had begun it
    (copy / "training_options.json").write_text(json.dumps(options))
    session = resume_run(copy, {})
    session.close()
    assert session.plan.micro_batch == session.plan.hyper.batch > 1


def test_a_resume_may_change_learning_rates(copy: Path) -> None:
    session = resume_run(copy, {"g_lr": 0.0001})
    session.close()
    state = session.plan.state
    assert state.G_opt.param_groups[0]["lr"] == pytest.approx(0.0001 * 4 / 5)
    assert state.D_opt.param_groups[0]["lr"] == pytest.approx(0.0025 * 16 / 17)
    assert state.G_opt.state


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nobody can ask whether a process lives")
def test_a_resume_sweeps_what_a_dead_process_left(copy: Path) -> None:
    living = temporary_name("score", ".json")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    of_dead = temporary_name("x").replace(f"-{os.getpid()}.", f"-{dead.pid}.")
    (copy / f"{of_dead}.safetensors").write_bytes(b"half")
    (copy / of_dead).mkdir()
    (copy / living).write_bytes(b"half")
    resume_run(copy, {}).close()
    assert [path.name for path in copy.glob(".*.tmp*")] == [living]


def test_two_processes_do_not_train_one_run(copy: Path) -> None:
    session = resume_run(copy, {})
    size = (copy / "stats.jsonl").stat().st_size
    with pytest.raises(TrainingError, match="already being trained, by process"):
        resume_run(copy, {"kimg": 1.0})
    assert (copy / "stats.jsonl").stat().st_size == size
    session.close()
    resume_run(copy, {}).close()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda options: options.pop("G"), "lacks G"),
        (lambda options: options["G"].update(img_resolution=15), "is damaged"),
        (lambda options: options["G"].update(colour=1), "is damaged"),
        (lambda options: options["G"]["mapping_kwargs"].update(num_layers=1000), "is damaged"),
        (lambda options: options["base"].update(kimg="many"), "is damaged"),
        (lambda options: options["data"].pop("hash"), "not the data set"),
        (lambda options: options["G"].update(w_dim=8), "cannot be resumed"),
    ],
)
def test_damaged_options_are_one_line(copy: Path, damage: Callable[[Any], object], message: str) -> None:
    options = json.loads((copy / "training_options.json").read_text())
    damage(options)
    (copy / "training_options.json").write_text(json.dumps(options))
    with pytest.raises(TrainingError, match=message) as refusal:
        resume_run(copy, {})
    assert "\n" not in str(refusal.value)
