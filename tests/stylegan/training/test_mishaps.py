"""Mishaps: signals, values that are not finite, a full disk."""

import errno
import math
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from stylegan.checkpoint import load_network
from stylegan.errors import TrainingError
from stylegan.training import loop
from stylegan.training import losses as losses_module
from stylegan.training import step as step_module
from stylegan.training.loop import train
from stylegan.training.session import resume_run
from tests.stylegan.training.tiny import assert_equal, names, read_state, start, ticks


class TestSignals:
    """SIGINT and SIGTERM, as they reach a running step."""

    @pytest.fixture(autouse=True)
    def handlers(self) -> Iterator[None]:
        """Fail the test, rather than end its process, should a signal get through."""

        def unexpected(number: int, frame: object) -> None:
            raise KeyboardInterrupt(number)

        before = {number: signal.signal(number, unexpected) for number in (signal.SIGINT, signal.SIGTERM)}
        yield
        for number, handler in before.items():
            signal.signal(number, handler)

    @staticmethod
    def during_step(monkeypatch: pytest.MonkeyPatch, step: int, *numbers: int) -> None:
        original = loop.train_step

        def noted(state: step_module.TrainState, *args: Any, **options: Any) -> int:
            if state.step == step:
                for number in numbers:
                    os.kill(os.getpid(), number)
            return original(state, *args, **options)

        monkeypatch.setattr(loop, "train_step", noted)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_the_step_ends_and_the_state_is_saved(
        self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        self.during_step(monkeypatch, 3, number)
        summary = train(start(data, tmp_path))
        assert summary.stopped_by == number
        assert summary.kimg == 0.016
        assert read_state(summary.run)["step"] == 4
        assert (summary.run / "log.txt").read_text().endswith("interrupted, state saved\n")
        assert sum(line["Loss/scores/real"]["num"] for line in ticks(summary.run)) == 16

    def test_a_resume_after_an_interrupt_is_exact(
        self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = train(start(data, tmp_path / "whole", kimg=0.02)).run
        with monkeypatch.context() as patch:
            self.during_step(patch, 1, signal.SIGINT)
            run = train(start(data, tmp_path / "broken", kimg=0.02)).run
        train(resume_run(run, {}))
        assert_equal(read_state(run), read_state(whole))

    def test_a_second_signal_stops_at_once(
        self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.during_step(monkeypatch, 3, signal.SIGTERM, signal.SIGINT)
        session = start(data, tmp_path)
        with pytest.raises(KeyboardInterrupt):
            train(session)
        assert read_state(session.run)["step"] == 0
        resume_run(session.run, {}).close()

    def test_handlers_are_given_back(self, tmp_path: Path, data: Path) -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        train(start(data, tmp_path, kimg=0.004))
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


class TestDivergence:
    """Values that are not finite never become the only state."""

    @pytest.mark.parametrize("loss", ["phases.logistic_real", "sampling.path_lengths"])
    def test_a_loss_that_stays_bad_stops_the_run(
        self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, loss: str
    ) -> None:
        monkeypatch.setattr("stylegan.training.divergence.ROUND_STEPS", 4)
        monkeypatch.setattr("stylegan.training.divergence.MAX_BAD_ROUNDS", 1)
        session = start(data, tmp_path, kimg=1, batch=2)
        before = (session.run / "state-latest.pt").read_bytes()
        original = getattr(losses_module, loss.partition(".")[2])
        monkeypatch.setattr(f"stylegan.training.{loss}", lambda *args: original(*args) * math.nan)
        with pytest.raises(
            TrainingError, match=r"gradients stay non-finite at kimg 0\.008; stopped"
        ) as stopped:
            train(session)
        assert "\n" not in str(stopped.value)
        assert "gradients stay non-finite" in (session.run / "log.txt").read_text()
        assert (session.run / "state-previous.pt").read_bytes() == before
        monkeypatch.undo()
        resume_run(session.run, {"g_lr": 0.001}).close()

    def test_weights_that_are_not_finite_are_not_saved(
        self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session = start(data, tmp_path, kimg=0.02, snapshots="0.012")
        original = loop.train_step

        def spoil(state: step_module.TrainState, *args: Any, **options: Any) -> int:
            micro_batch = original(state, *args, **options)
            if state.step == 4:
                with torch.no_grad():
                    state.G.synthesis.b8.conv0.weight[0, 0, 0, 0] = math.inf
            return micro_batch

        monkeypatch.setattr(loop, "train_step", spoil)
        with pytest.raises(
            TrainingError, match=r"G\.synthesis\.b8\.conv0\.weight .*not saved.*resume it with a lower"
        ):
            train(session)
        assert read_state(session.run)["step"] == 3
        assert "snapshot-000000.020.safetensors" not in names(session.run)

    def test_the_timed_save_refuses_them_too(
        self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session = start(data, tmp_path, kimg=0.02, save_minutes=0)
        monkeypatch.setattr(loop, "train_step", _spoiling(loop.train_step))
        with pytest.raises(
            TrainingError, match=r"D\.b8\.conv0\.weight is not finite at kimg 0\.008; not saved"
        ):
            train(session)
        assert read_state(session.run)["step"] == 1


class TestFullDisk:
    """A disk without room leaves nothing half-written."""

    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        """A file system of a few megabytes."""
        folder = tmp_path / "disk"
        folder.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("needs the right to mount a file system")
        yield folder
        subprocess.run(["umount", str(folder)], check=True)

    def test_of_a_snapshot_or_state(self, small_disk: Path, data: Path) -> None:
        session = start(data, small_disk, kimg=0.2, snapshots="every:0.004")
        with pytest.raises(OSError, match="No space left on device") as full:
            train(session)
        assert full.value.errno == errno.ENOSPC
        assert not list(session.run.glob(".*.tmp*"))
        snapshots = list(session.run.glob("snapshot-*"))
        assert len(snapshots) >= 2
        for path in snapshots:
            load_network(path)
        assert read_state(session.run)["step"] >= 1
        for path in snapshots:
            path.unlink()
        session = resume_run(session.run, {})
        session.close()
        assert session.plan.state.step >= 1

    @pytest.mark.parametrize("name", ["save_network", "save_state"])
    def test_an_error_while_writing_is_passed_on(
        self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        session = start(data, tmp_path)
        calls = []

        def full(*args: Any, **options: Any) -> None:
            calls.append(name)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x")

        monkeypatch.setattr(f"stylegan.training.session.{name}", full)
        with pytest.raises(OSError, match="No space left"):
            train(session)
        assert calls
        assert read_state(session.run)["step"] == 0


def _spoiling(original: Callable[..., int]) -> Callable[..., int]:
    def spoil(state: step_module.TrainState, *args: Any, **options: Any) -> int:
        micro_batch = original(state, *args, **options)
        if state.step == 2:
            with torch.no_grad():
                state.D.b8.conv0.weight[0, 0, 0, 0] = math.nan
        return micro_batch

    return spoil
