"""The loop of a training: steps, ticks, snapshots, saved states, and a clean stop at any moment.

SIGINT and SIGTERM let the running step finish, save the state and stop; a second one stops at once. Gradients that
stay non-finite stop the run before anything of it is saved.
"""

import contextlib
import dataclasses
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from stylegan.errors import TrainingError
from stylegan.training.config import parse_snapshots
from stylegan.training.data import BatchStream
from stylegan.training.session import Session
from stylegan.training.stats import Collector, format_duration
from stylegan.training.step import Draws, train_step

__all__ = ["TrainSummary", "train"]

_TICK_NIMG = 1000
_MAX_BAD_STEPS = 32
_LABELS_PHASE = 1000  # keys the draw of labels, apart from the phases of a step


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainSummary:
    """How a training ended."""

    run: Path
    """The run folder."""
    kimg: float
    """Thousands of images seen in all."""
    seconds: float
    """Training time in all."""
    num_nonfinite: int
    """Gradient values that were not finite."""
    augment_p: float
    """Augmentation probability at the end."""
    stopped_by: int | None
    """The signal that interrupted it, None if it ran to its end."""


def train(session: Session, on_snapshot: Callable[[Path, float], None] | None = None) -> TrainSummary:
    """Run a session to its end, or until a signal.

    Args:
        session: opened or resumed.
        on_snapshot: called with each snapshot's path and kimg once it is written.

    Raises:
        TrainingError: the training diverged.
    """
    with _Loop(session, on_snapshot) as loop:
        return loop.run()


class _Loop:
    def __init__(self, session: Session, on_snapshot: Callable[[Path, float], None] | None) -> None:
        self.session = session
        self.plan = session.plan
        self.state = session.plan.state
        self.on_snapshot = on_snapshot
        self.stats = Collector()
        self.micro_batch = self.plan.micro_batch
        self.num_ticks = 0
        self.num_bad_steps = 0
        self.started = self.saved = time.monotonic()
        self.tick_started, self.tick_nimg = self.started, self.state.cur_nimg
        self.moments = self._moments_left()

    def __enter__(self) -> "_Loop":
        config, batch = self.plan.config, self.plan.hyper.batch
        self.log_file = (self.session.run / "log.txt").open("a", encoding="utf-8")
        self.stream = BatchStream(
            self.plan.data,
            batch=batch,
            position=self.state.cur_nimg,
            seed=config.seed,
            workers=config.workers,
        )
        self.bar = tqdm(
            total=self.plan.total_nimg / 1000,
            initial=self.state.cur_nimg / 1000,
            unit="kimg",
            disable=None,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {n:.2f}/{total:.2f} kimg [{elapsed}<{remaining}{postfix}]",
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.bar.close()
        self.stream.close()
        self.session.stats_writer.close()
        self.log_file.close()

    def run(self) -> TrainSummary:
        self._say_start()
        with _noted_signals() as received:
            self._snapshot_if_due()
            while self.state.cur_nimg < self.plan.total_nimg and not received:
                self._step()
                if self.state.cur_nimg - self.tick_nimg >= _TICK_NIMG:
                    self._tick()
                self._snapshot_if_due()
                if time.monotonic() - self.saved > self.plan.config.save_minutes * 60:
                    self._save_state()
            if received:
                self._save_state()
        stopped_by = received[0] if received else None
        self._log("interrupted, state saved" if stopped_by else "done")
        return self._summary(stopped_by)

    def _step(self) -> None:
        pictures, labels = self.stream.next()
        device = self.plan.device
        reals = torch.from_numpy(pictures).to(device).float() / 127.5 - 1
        if self.plan.label_dim:
            real_c = torch.from_numpy(labels).to(device)
        else:
            real_c = torch.zeros([len(reals), 0], device=device)
        bad_before = self.state.num_nonfinite
        train_step(
            self.state,
            self.plan.hyper,
            reals,
            real_c,
            self._fake_labels(len(reals)),
            seed=self.plan.config.seed,
            micro_batch=self.micro_batch,
            stats=self.stats,
        )
        self._watch(self.state.num_nonfinite > bad_before)
        self.bar.update(len(reals) / 1000)

    def _fake_labels(self, count: int) -> torch.Tensor:
        draws = Draws.of(torch.device("cpu"), self.plan.config.seed, self.state.step, _LABELS_PHASE)
        return self.session.labels(draws.host.integers(len(self.plan.data), size=count))

    def _watch(self, is_bad: bool) -> None:
        """Stop a run whose gradients stay non-finite, before its state is saved over a good one."""
        self.num_bad_steps = self.num_bad_steps + 1 if is_bad else 0
        if self.num_bad_steps >= _MAX_BAD_STEPS:
            raise TrainingError(
                f"{self.session.run.name}: gradients not finite for {_MAX_BAD_STEPS} steps at kimg "
                f"{self.state.cur_nimg / 1000:.3f}; stopped, the last state and snapshots are intact; resume with "
                "a lower --g-lr and --d-lr, or --precision fp32"
            )

    def _snapshot_if_due(self) -> None:
        due = [kimg for kimg in self.moments if self.state.cur_nimg >= self._nimg(kimg)]
        if not due:
            return
        self.moments = self.moments[len(due) :]
        if self.state.cur_nimg > self.tick_nimg:
            self._tick()
        path = self.session.save_snapshot(due[-1])
        self._save_state()
        self._log(f"snapshot {path.name}")
        if self.on_snapshot is not None:
            self.on_snapshot(path, due[-1])

    def _moments_left(self) -> list[float]:
        """Moments of snapshots still to come; a state is saved right after each, so those behind it are done."""
        moments = parse_snapshots(self.plan.config.snapshots, self.plan.config.kimg)
        if self.state.step == 0:
            return moments
        return [kimg for kimg in moments if self._nimg(kimg) > self.state.cur_nimg]

    def _nimg(self, kimg: float) -> int:
        return min(round(kimg * 1000), self.plan.total_nimg)

    def _tick(self) -> None:
        now = time.monotonic()
        nimg = self.state.cur_nimg - self.tick_nimg
        p = 0.0 if self.state.augment is None else float(self.state.augment.p)
        self.stats.report("Progress/kimg", self.state.cur_nimg / 1000)
        self.stats.report("Progress/epoch", self.state.cur_nimg / len(self.plan.data))
        self.stats.report("Progress/augment", p)
        self.stats.report("Timing/sec_per_tick", now - self.tick_started)
        self.stats.report("Timing/sec_per_kimg", (now - self.tick_started) / nimg * 1000)
        self.stats.report("Timing/total_sec", self._seconds())
        self.stats.report("Resources/cpu_mem_gb", _cpu_mem_gb())
        self.stats.report("Resources/peak_gpu_mem_gb", _peak_gpu_mem_gb(self.plan.device))
        stats = self.stats.read()
        self.session.stats_size = self.session.stats_writer.write(stats, self.state.cur_nimg)
        self._log(_status_line(self.num_ticks, stats, self._seconds()))
        epoch = self.state.cur_nimg / len(self.plan.data)
        self.bar.set_postfix_str(f", epoch {epoch:.2f}, augment {p:.3f}", refresh=False)
        self.num_ticks += 1
        self.tick_started, self.tick_nimg = now, self.state.cur_nimg

    def _save_state(self) -> None:
        self.session.save_state(self._seconds())
        self.saved = time.monotonic()

    def _seconds(self) -> float:
        return self.session.seconds_before + time.monotonic() - self.started

    def _say_start(self) -> None:
        plan = self.plan
        board = (
            ""
            if self.session.stats_writer.has_board
            else "; no TensorBoard events: tensorboard is not installed"
        )
        verb = "resuming" if self.state.step else "training"
        self._log(
            f"{verb} {self.session.run}: {len(plan.data)} pictures of {plan.data.resolution} pixels, batch "
            f"{plan.hyper.batch} in parts of {self.micro_batch}, on {plan.device}{board}"
        )

    def _log(self, line: str) -> None:
        self.log_file.write(line + "\n")
        self.log_file.flush()
        if self.bar.disable:
            sys.stderr.write(line + "\n")
        else:
            self.bar.write(line, file=sys.stderr)

    def _summary(self, stopped_by: int | None) -> TrainSummary:
        return TrainSummary(
            run=self.session.run,
            kimg=self.state.cur_nimg / 1000,
            seconds=self._seconds(),
            num_nonfinite=self.state.num_nonfinite,
            augment_p=0.0 if self.state.augment is None else float(self.state.augment.p),
            stopped_by=stopped_by,
        )


@contextlib.contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """The signals received so far; a second one acts as it did before."""
    received: list[int] = []
    before: dict[int, Any] = {}

    def note(signum: int, frame: FrameType | None) -> None:
        received.append(signum)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError):  # not the main thread: nobody to interrupt us
            before[number] = signal.signal(number, note)
    try:
        yield received
    finally:
        restore()


def _status_line(tick: int, stats: dict[str, dict[str, float]], seconds: float) -> str:
    def mean(name: str) -> float:
        return stats[name]["mean"]

    return (
        f"tick {tick:<5d} kimg {mean('Progress/kimg'):<9.3f} time {format_duration(seconds):<9s} "
        f"sec/tick {mean('Timing/sec_per_tick'):<7.1f} sec/kimg {mean('Timing/sec_per_kimg'):<7.2f} "
        f"cpumem {mean('Resources/cpu_mem_gb'):<6.2f} gpumem {mean('Resources/peak_gpu_mem_gb'):<6.2f} "
        f"augment {mean('Progress/augment'):.3f}"
    )


def _cpu_mem_gb() -> float:
    """Resident memory of this process."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float(np.nan)
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**30


def _peak_gpu_mem_gb(device: torch.device) -> float:
    return torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else 0.0
