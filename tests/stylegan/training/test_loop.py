"""The loop: files and when they appear, ticks, and trainings of odd sizes. Mishaps are in `test_mishaps`."""

import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stylegan.archive import ArchiveWriter
from stylegan.checkpoint import load_network, read_meta
from stylegan.errors import ArchiveError
from stylegan.training import loop
from stylegan.training import phases as phases_module
from stylegan.training import step as step_module
from stylegan.training.loop import TrainSummary, train
from stylegan.training.plan import make_plan
from stylegan.training.session import open_run, resume_run
from tests.stylegan.training.conftest import Crash, crashed
from tests.stylegan.training.tiny import assert_equal, names, read_state, start, ticks, tiny_config

START = ["fakes_init.png", "log.txt", "reals.png", "state-latest.pt", "stats.jsonl", "training_options.json"]


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory, labelled: Path
) -> tuple[TrainSummary, list[tuple[Path, float]]]:
    """A conditional training of 10 steps with snapshots at 0, 0.01, 0.02 and 0.04 kimg, and its callbacks."""
    seen: list[tuple[Path, float]] = []
    session = start(labelled, tmp_path_factory.mktemp("runs"), kimg=0.04, snapshots="0.01,0.02")
    return train(session, lambda path, kimg: seen.append((path, kimg))), seen


class TestFiles:
    """What lies in the folder of a finished run."""

    def test_names(self, finished: tuple[TrainSummary, list[tuple[Path, float]]]) -> None:
        run = finished[0].run
        moments = ["000000.000", "000000.010", "000000.020", "000000.040"]
        assert names(run) == sorted(
            [
                *START,
                "state-previous.pt",
                "fakes000000.png",
                *(f"fakes{moment}.png" for moment in moments[1:]),
                *(f"snapshot-{moment}.safetensors" for moment in moments),
            ]
        )
        assert run.name == "00000-leaves-none"
        assert list(run.glob("events.out.tfevents.*"))

    def test_snapshots_are_named_by_their_moment_and_know_their_images(
        self, finished: tuple[TrainSummary, list[tuple[Path, float]]]
    ) -> None:
        summary, seen = finished
        assert [kimg for _, kimg in seen] == [0, 0.01, 0.02, 0.04]
        metas = [read_meta(path) for path, _ in seen]
        assert [meta.kimg for meta in metas] == [
            0,
            0.012,
            0.02,
            0.04,
        ]  # the first step at or beyond the moment
        assert {meta.data_name for meta in metas} == {"leaves"}
        assert metas[0].augment_p == 0.5 != metas[-1].augment_p
        network = load_network(summary.run)
        assert network.path == seen[-1][0]
        assert network.G is not None
        assert network.D is not None
        state = read_state(summary.run)
        assert_equal(dict(network.G.state_dict()), dict(state["G"]))
        assert_equal(dict(network.D.state_dict()), dict(state["D"]))

    def test_sheets_show_the_fixed_seeds_and_the_first_pictures(
        self, finished: tuple[TrainSummary, list[tuple[Path, float]]]
    ) -> None:
        run = finished[0].run
        sheets = {path.name: np.asarray(Image.open(path)) for path in run.glob("*.png")}
        assert {sheet.shape for sheet in sheets.values()} == {(16, 128, 3)}
        assert np.array_equal(sheets["fakes_init.png"], sheets["fakes000000.png"])
        assert not np.array_equal(sheets["fakes_init.png"], sheets["fakes000000.040.png"])
        network = load_network(f"{run}@0.04")
        z = torch.from_numpy(np.random.RandomState(0).randn(1, 16)).float()
        label = json.loads((run / "training_options.json").read_text())
        assert label["data"]["num_images"] == 40  # mirrored
        with torch.no_grad():
            drawn = [network.generator()(z, torch.eye(3)[i : i + 1], noise_mode="const") for i in range(3)]
        pictures = [
            (x * 127.5 + 128).clamp(0, 255).to(torch.uint8)[0].permute(1, 2, 0).numpy() for x in drawn
        ]
        first = sheets["fakes000000.040.png"][:, :16]
        assert any(np.array_equal(first, picture) for picture in pictures)

    def test_statistics_have_the_usual_shape(
        self, finished: tuple[TrainSummary, list[tuple[Path, float]]]
    ) -> None:
        lines = ticks(finished[0].run)
        assert [line["Progress/kimg"]["mean"] for line in lines] == [0.012, 0.02, 0.04]
        for line in lines:
            assert line.pop("timestamp") > 1e9
            assert all(stat.keys() == {"num", "mean", "std"} for stat in line.values())
            assert all(math.isfinite(value) for stat in line.values() for value in stat.values())
        usual = {"Loss/scores/fake", "Loss/scores/real", "Loss/signs/real", "Loss/G/loss", "Loss/D/loss"}
        usual |= {"Progress/augment", "Timing/sec_per_kimg", "Timing/total_sec", "Resources/peak_gpu_mem_gb"}
        assert usual | {"Loss/pl_penalty", "Loss/r1_penalty"} <= lines[0].keys()
        assert "Loss/r1_penalty" not in lines[1]
        assert sum(line["Loss/scores/real"]["num"] for line in lines) == 40
        assert -1 <= lines[0]["Loss/signs/real"]["mean"] <= 1

    def test_the_log_tells_the_story(self, finished: tuple[TrainSummary, list[tuple[Path, float]]]) -> None:
        lines = (finished[0].run / "log.txt").read_text().splitlines()
        assert lines[0].startswith("training ")
        assert lines[0].endswith("40 pictures of 16 pixels, batch 4 in parts of 4, on cpu")
        assert [line for line in lines if line.startswith("snapshot")] == [
            f"snapshot snapshot-000000.{moment}.safetensors" for moment in ("000", "010", "020", "040")
        ]
        assert [line.split()[:4] for line in lines if line.startswith("tick")] == [
            ["tick", "0", "kimg", "0.012"],
            ["tick", "1", "kimg", "0.020"],
            ["tick", "2", "kimg", "0.040"],
        ]
        assert lines[-1] == "done"

    def test_options_name_all_that_was_decided(
        self, finished: tuple[TrainSummary, list[tuple[Path, float]]]
    ) -> None:
        options = json.loads((finished[0].run / "training_options.json").read_text())
        assert options["config"]["snapshots"] == "0.01,0.02"
        assert options["hyperparameters"]["batch"] == 4
        assert options["micro_batch"] == 4
        assert options["G"]["c_dim"] == options["D"]["c_dim"] == 3
        assert len(options["data"]["hash"]) == 64

    def test_the_summary(self, finished: tuple[TrainSummary, list[tuple[Path, float]]]) -> None:
        summary, _ = finished
        assert (summary.kimg, summary.num_images, summary.num_nonfinite) == (0.04, 40, 0)
        assert summary.stopped_by is None
        assert summary.augment_p == read_state(summary.run)["ada"]["p"]


def test_a_length_of_less_than_a_batch_is_one_step(tmp_path: Path, data: Path) -> None:
    summary = train(start(data, tmp_path, kimg=0.001))
    assert summary.kimg == 0.004
    assert (summary.run / "snapshot-000000.001.safetensors").is_file()


def test_the_length_is_rounded_up_to_whole_batches(tmp_path: Path, data: Path) -> None:
    assert train(start(data, tmp_path, kimg=0.006, batch=4)).kimg == 0.008


def test_one_picture_and_a_batch_larger_than_the_data_set(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "one.zip") as archive:
        archive.add(np.full([16, 16, 3], 100, np.uint8))
    summary = train(start(tmp_path / "one.zip", tmp_path / "runs", kimg=0.008, mirror=False))
    assert summary.kimg == 0.008
    assert summary.num_nonfinite == 0


def test_grey_pictures_train(tmp_path: Path) -> None:
    with ArchiveWriter(tmp_path / "grey.zip") as archive:
        for i in range(3):
            archive.add(np.full([16, 16, 1], 60 * i, np.uint8))
    run = train(start(tmp_path / "grey.zip", tmp_path / "runs", kimg=0.004)).run
    with Image.open(run / "fakes000000.004.png") as sheet:
        assert sheet.mode == "L"


def test_half_precision_snapshots_are_half_as_large(tmp_path: Path, data: Path) -> None:
    sizes = []
    for dtype in ("fp32", "fp16"):
        run = train(start(data, tmp_path, kimg=0.004, snapshot_dtype=dtype, w_dim=64)).run
        sizes.append((run / "snapshot-000000.004.safetensors").stat().st_size)
        assert load_network(run).generator().mapping.fc0.weight.dtype == torch.float32
    assert sizes[1] < 0.65 * sizes[0]


def test_every_step_is_told_of_once_whatever_happens(
    tmp_path: Path, data: Path, crash_before: Crash, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_TICK_NIMG", 8)
    crash_before(7)
    session = start(data, tmp_path, kimg=0.04, snapshots="0.02")
    crashed(session)
    assert [line["Progress/kimg"]["mean"] for line in ticks(session.run)] == [0.008, 0.016, 0.02, 0.028]
    crash_before(-1)
    train(resume_run(session.run, {}))  # from the state at 0.02: the tick at 0.028 is taken again
    lines = ticks(session.run)
    assert [line["Progress/kimg"]["mean"] for line in lines] == [0.008, 0.016, 0.02, 0.028, 0.036, 0.04]
    assert sum(line["Loss/scores/real"]["num"] for line in lines) == 40
    log = (session.run / "log.txt").read_text().splitlines()
    assert [line.split()[1] for line in log if line.startswith("tick")] == ["0", "1", "2", "3", "3", "4", "5"]


def test_getting_ready_is_not_told_as_the_time_of_steps(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "prepare_training", lambda device, say: time.sleep(2))  # as long as a compiler
    lines = ticks(train(start(data, tmp_path, kimg=0.004)).run)
    assert lines[0]["Timing/maintenance_sec"]["mean"] >= 2
    assert lines[0]["Timing/sec_per_tick"]["mean"] + 2 <= lines[0]["Timing/total_sec"]["mean"]


def test_a_picture_that_cannot_be_read_stops_the_run_with_its_name(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start(data, tmp_path)
    original = session.plan.data.__class__.image

    def image(self: object, index: int) -> np.ndarray:
        if index == 11:
            raise ArchiveError("rocks.zip: 00000/img00000011.png is damaged; package it again")
        return original(self, index)  # type: ignore[arg-type]

    monkeypatch.setattr(session.plan.data.__class__, "image", image)
    with pytest.raises(ArchiveError, match=r"img00000011\.png is damaged"):
        train(session)
    assert read_state(session.run)["step"] == 0
    resume_run(session.run, {}).close()


def test_a_picture_damaged_from_the_start_leaves_no_folder(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(tiny_config(data))

    def image(self: object, index: int) -> np.ndarray:
        raise ArchiveError("rocks.zip: 00000/img00000011.png is damaged; package it again")

    monkeypatch.setattr(plan.data.__class__, "image", image)
    with pytest.raises(ArchiveError, match="is damaged"):
        open_run(plan, tmp_path / "runs")
    assert not list((tmp_path / "runs").iterdir())


def test_running_out_of_memory_is_said_once(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = step_module.d_main

    def d_main(state: step_module.TrainState, micro: phases_module.Micro) -> torch.Tensor:
        if len(micro.reals) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(state, micro)

    monkeypatch.setattr(step_module, "d_main", d_main)
    run = train(start(data, tmp_path, kimg=0.012, micro_batch=4)).run
    log = (run / "log.txt").read_text()
    assert (
        log.count("out of memory with parts of 4; continuing in parts of 1")
        == log.count("out of memory")
        == 1
    )
