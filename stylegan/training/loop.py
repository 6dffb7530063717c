"""The loop of a training: steps, ticks, snapshots, saved states, and a clean stop at any moment.

At SIGINT or SIGTERM the running step is finished, the state is saved, and the training stops; a second signal stops it
at once. A training that has diverged stops before the bad weights are saved. Where several processes train together,
each runs this loop on its share of every batch, only the first one writes, and all stop at the same step, whichever of
them received the signal.
"""

import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from tqdm import tqdm

from stylegan.device import send
from stylegan.errors import TrainingError
from stylegan.run_names import LOG
from stylegan.training.data import BatchStream
from stylegan.training.deal import deal
from stylegan.training.divergence import DivergenceWatch
from stylegan.training.interrupt import noted_signals
from stylegan.training.readiness import prepare_training
from stylegan.training.session import Session
from stylegan.training.stats import Collector, cpu_mem_gb, peak_gpu_mem_gb, status_line
from stylegan.training.step import train_step

__all__ = ["OnSave", "OnSnapshot", "Reply", "TrainSummary", "train"]

_TICK_NIMG = 1000
_STOPPED_AT = 1  # below every signal
_LABELS_PHASE = 1000  # keys the draw of labels, apart from the phases of a step


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What `OnSnapshot` returns."""

    lines: tuple[str, ...] = ()
    """For the log."""
    stop: str | None = None
    """Why the training should end here, None if it should not."""


OnSnapshot: TypeAlias = Callable[[Path, float], Reply | None]
"""Called with each snapshot's path and kimg once it is written."""
OnSave: TypeAlias = Callable[[], str | None]
"""Called when a state and all that belongs to it have been saved; returns a line for the log, or None."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TrainSummary:
    """How a training ended."""

    run: Path
    """The run folder."""
    kimg: float
    """Thousands of images seen in all."""
    num_images: int
    """Images seen in this session."""
    seconds: float
    """Training time in all."""
    num_nonfinite: int
    """Gradient values that were not finite."""
    augment_p: float
    """Augmentation probability at the end."""
    stopped_by: int | None
    """The signal that interrupted it, None if it ran to its end."""
    stopped_at: str | None = None
    """Why `OnSnapshot` ended it, None if it did not."""


def train(
    session: Session,
    on_snapshot: OnSnapshot | None = None,
    on_save: OnSave | None = None,
    *,
    reply: Reply | None = None,
) -> TrainSummary:
    """Run a session to its end, until a signal or until `on_snapshot` says so, and close it.

    Args:
        session: opened or resumed.
        on_snapshot: called after each snapshot.
        on_save: called after each saved state, and after `on_snapshot` where there is a snapshot too; not called for
            the state that an interruption saves.
        reply: to the last snapshot of a resumed session, if its look was broken off or asks to stop.

    Raises:
        TrainingError: the training diverged.
        ArchiveError: a picture cannot be read.
        OSError: the disk is full; what was saved before is intact.
    """
    with _Loop(session, on_snapshot, on_save) as loop:
        return loop.run(reply or Reply())


class _Loop:
    def __init__(self, session: Session, on_snapshot: OnSnapshot | None, on_save: OnSave | None) -> None:
        self.session = session
        self.plan = session.plan
        self.state = session.plan.state
        self.on_snapshot = on_snapshot
        self.on_save = on_save
        self.stats = Collector()
        self.watch = DivergenceWatch()
        self.micro_batch = self.plan.micro_batch
        self.moments = self.plan.moments_left()
        self.started = self.saved = self.tick_started = time.monotonic()
        self.start_nimg = self.tick_nimg = self.state.cur_nimg
        self.maintenance_s = 0.0  # since the last tick
        self.stopped_at: str | None = None
        self.team = self.plan.team
        share = deal(self.state.D, self.plan.hyper.batch, self.team.rank, self.team.size)
        self.share = range(share.start, share.stop)
        num_restarts = 0 if self.team.launch is None else self.team.launch.num_restarts
        self.name = f"rank{self.team.rank}.{num_restarts}"  # for tests that have a certain process die

    def __enter__(self) -> "_Loop":
        config, batch = self.plan.config, self.plan.hyper.batch
        log = self.session.run / LOG if self.team.is_first else Path(os.devnull)
        self.log_file = log.open("a", encoding="utf-8")
        self.stream = BatchStream(
            self.plan.data,
            batch=batch,
            position=self.state.cur_nimg,
            seed=config.seed,
            workers=config.workers,
            share=self.share,
        )
        self.bar = tqdm(
            total=self.plan.total_nimg / 1000,
            initial=self.state.cur_nimg / 1000,
            unit="kimg",
            disable=None if self.team.is_first else True,
            bar_format="{desc} {percentage:3.0f}%|{bar}| {n:.2f}/{total:.2f} kimg [{elapsed}<{remaining}{postfix}]",
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.bar.close()
        self.stream.close()
        self.session.close()
        self.log_file.close()

    def run(self, reply: Reply) -> TrainSummary:
        self._say_start()
        self._heed(reply)
        with self._maintenance(), self.team.one_a_host_first():  # the others find what it has compiled
            prepare_training(self.plan.device, say=self._log)
        with noted_signals() as received:
            self._snapshot_if_due()
            while self.state.cur_nimg < self.plan.total_nimg and not self._agree_to_stop(received):
                self._step()
                if self.state.cur_nimg - self.tick_nimg >= _TICK_NIMG:
                    self._tick()
                self._snapshot_if_due()
                if time.monotonic() - self.saved > self.plan.config.save_minutes * 60:
                    self._save_state()
                    self._tell_saved()
            verdict = self._agree_to_stop(received)
            stopped_by = verdict if verdict > _STOPPED_AT else None
            if stopped_by:
                self._save_state()
            self.team.wait()  # no process may leave while others are still at work
        end = "done" if self.stopped_at is None else f"stopped: {self.stopped_at}"
        self._log("interrupted, state saved" if stopped_by else end)
        return self._summary(stopped_by)

    def _step(self) -> None:
        pictures, labels = self.stream.next()
        batch = self.plan.hyper.batch
        of_step = Collector()
        device = self.plan.device
        reals = send(torch.from_numpy(pictures), device).float() / 127.5 - 1
        if self.plan.label_dim:
            real_c = send(torch.from_numpy(labels), device)
        else:
            real_c = torch.zeros([len(reals), 0], device=device)
        sys.audit("failpoint", "step", self.name)
        bad_before = self.state.num_nonfinite
        fitted = train_step(
            self.state,
            self.plan.hyper,
            reals,
            real_c,
            self._fake_labels(batch)[self.share.start : self.share.stop],
            seed=self.plan.config.seed,
            micro_batch=self.micro_batch,
            stats=of_step,
            team=self.team,
        )
        of_step.sum_over(self.team)
        self.stats.absorb(of_step)
        if fitted < self.micro_batch:
            self._log(f"out of memory with parts of {self.micro_batch}; continuing in parts of {fitted}")
            self.micro_batch = fitted
        if self.watch.note(self.state.step, self.state.num_nonfinite > bad_before):
            self._stop_diverged()
        self.bar.update(batch / 1000)

    def _agree_to_stop(self, received: list[int]) -> int:
        """0 to go on; else why all processes stop: `_STOPPED_AT`, or the signal that one of them received."""
        own = received[0] if received else (0 if self.stopped_at is None else _STOPPED_AT)
        return self.team.largest(own)

    def _fake_labels(self, count: int) -> torch.Tensor:
        host = np.random.default_rng([self.plan.config.seed, self.state.step, _LABELS_PHASE])
        return self.session.labels(host.integers(len(self.plan.data), size=count))

    def _stop_diverged(self) -> None:
        line = (
            f"{self.session.run.name}: gradients stay non-finite at kimg {self.state.cur_nimg / 1000:.3f}; stopped, "
            "the last state and snapshots are intact; resume with a lower --g-lr and --d-lr, or start with "
            "--precision fp32"
        )
        self._log(line)
        raise TrainingError(line)

    def _snapshot_if_due(self) -> None:
        due = [kimg for kimg in self.moments if self.state.cur_nimg >= self.plan.moment_nimg(kimg)]
        if not due:
            return
        self.moments = self.moments[len(due) :]
        if not self.team.is_first:
            return
        self._tick()
        with self._maintenance():
            path = self.session.save_snapshot(due[-1])
        self._save_state()
        self._log(f"snapshot {path.name}")
        if self.on_snapshot is not None:
            with self._maintenance():
                reply = self.on_snapshot(path, due[-1]) or Reply()
            self._heed(reply)
        self._tell_saved()

    def _heed(self, reply: Reply) -> None:
        for line in reply.lines:
            self._log(line)
        self.stopped_at = reply.stop

    def _save_state(self) -> None:
        if not self.team.is_first:
            return
        self._tick()  # so that the statistics saved with the state cover every step before it, each once
        with self._maintenance():
            self.session.save_state(self._seconds())
        self.saved = time.monotonic()

    def _tell_saved(self) -> None:
        if self.on_save is not None and self.team.is_first:
            with self._maintenance():
                line = self.on_save()
            if line is not None:
                self._log(line)

    def _tick(self) -> None:
        """Report the steps since the last tick, if there are any."""
        nimg = self.state.cur_nimg - self.tick_nimg
        if nimg == 0:
            return
        now = time.monotonic()
        seconds = now - self.tick_started - self.maintenance_s
        report = self.stats.report
        report("Progress/kimg", self.state.cur_nimg / 1000)
        report("Progress/epoch", self.state.cur_nimg / len(self.plan.data))
        report("Progress/augment", self._augment_p())
        report("Timing/sec_per_tick", seconds)
        report("Timing/sec_per_kimg", seconds / nimg * 1000)
        report("Timing/maintenance_sec", self.maintenance_s)
        report("Timing/total_sec", self._seconds())
        report("Resources/cpu_mem_gb", cpu_mem_gb())
        report("Resources/peak_gpu_mem_gb", peak_gpu_mem_gb(self.plan.device))
        stats = self.stats.read()
        if (writer := self.session.stats_writer) is not None:
            self._log(status_line(writer.num_ticks, stats))
            writer.write(stats, self.state.cur_nimg)
        epoch = self.state.cur_nimg / len(self.plan.data)
        self.bar.set_postfix_str(f", epoch {epoch:.2f}, augment {self._augment_p():.3f}", refresh=False)
        self.tick_started, self.tick_nimg, self.maintenance_s = now, self.state.cur_nimg, 0.0

    @contextlib.contextmanager
    def _maintenance(self) -> Iterator[None]:
        """Count the time of the `with` as maintenance rather than as steps."""
        started = time.monotonic()
        yield
        self.maintenance_s += time.monotonic() - started

    def _seconds(self) -> float:
        return self.session.seconds_before + time.monotonic() - self.started

    def _augment_p(self) -> float:
        return 0.0 if self.state.augment is None else float(self.state.augment.p)

    def _say_start(self) -> None:
        plan = self.plan
        verb = "resuming" if self.state.step else "training"
        self._log(
            f"{verb} {self.session.run}: {len(plan.data)} pictures of {plan.data.resolution} pixels, batch "
            f"{plan.hyper.batch} in parts of {self.micro_batch}, on {plan.device}"
        )
        if self.team.size > 1:
            self._log(f"{self.team.size} processes share each batch, {len(self.share)} pictures to the first")
        if self.session.stats_writer is not None and not self.session.stats_writer.has_board:
            self._log("no TensorBoard events: tensorboard is not installed")
        for note in plan.notes:
            self._log(note)

    def _log(self, line: str) -> None:
        if not self.team.is_first:
            return
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
            num_images=self.state.cur_nimg - self.start_nimg,
            seconds=self._seconds(),
            num_nonfinite=self.state.num_nonfinite,
            augment_p=self._augment_p(),
            stopped_by=stopped_by,
            stopped_at=self.stopped_at,
        )
