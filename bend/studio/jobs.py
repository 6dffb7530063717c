"""Long work, one at a time: a queue of command lines of `bend`, each run as a process of its own.

A process can be stopped without disturbing the instrument, and goes on when the page is closed. Its output goes to a
log in the job's folder, of which a page sees the last line. Stopping a job interrupts it first, so that a training
saves its state; stopping it again ends it at once, with every process that it started.
"""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bend.errors import SettingsError

__all__ = ["Job", "Jobs"]

_COMMAND = (sys.executable, "-P", "-m", "bend")  # -P: modules in the user's folder are not ours
_MOST_WAITING = 32
_MOST_KEPT = 100
_PATIENCE_S = 60.0
"""Seconds from an interrupt to a kill: a training finishes its step and saves."""
_POLL_S = 0.1
_TAIL_BYTES = 4096


@dataclass(slots=True, kw_only=True)
class Job:
    """A command line in the queue.

    Attributes:
        number: by which pages name it.
        kind: `train` or `film`.
        title: to show.
        commands: run one after the other, each as it is typed after `bend`.
        log: file for their output.
        folder: that it works in.
        output: file that it makes there, to be downloaded; None for none.
        state: `waiting`, `running`, `done`, `failed` or `stopped`.
        began: seconds since 1970; 0 before it runs.
        ended: likewise.
        num_stops: how often it was asked to stop.
    """

    number: int
    kind: str
    title: str
    commands: Sequence[Sequence[str]]
    log: Path
    folder: Path
    output: Path | None = None
    state: str = "waiting"
    began: float = 0.0
    ended: float = 0.0
    num_stops: int = 0

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whichever way."""
        return self.state in ("done", "failed", "stopped")

    def facts(self) -> dict[str, Any]:
        """What a page shows."""
        return {
            "number": self.number,
            "kind": self.kind,
            "title": self.title,
            "state": self.state,
            "is_stopping": self.state == "running" and self.num_stops > 0,
            "seconds": round((self.ended or time.time()) - self.began, 1) if self.began else 0.0,
            "line": _last_line(self.log),
            "has_output": self.state == "done" and self.output is not None and self.output.is_file(),
            "output": self.output.name if self.output is not None else None,
        }


class Jobs:
    """The queue and the thread that works it off.

    Args:
        changed: called whenever a job is queued, begins or ends, from any thread.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._numbers = itertools.count(1)
        self._jobs: list[Job] = []
        self._news = threading.Condition()
        self._is_closing = False
        self._thread = threading.Thread(target=self._work, name="studio-jobs", daemon=True)
        self._thread.start()

    def submit(
        self,
        kind: str,
        title: str,
        commands: Sequence[Sequence[str]],
        folder: Path,
        output: Path | None = None,
    ) -> Job:
        """Queue command lines.

        Raises:
            SettingsError: too many wait already.
            OSError: the folder cannot be made.
        """
        with self._news:
            if sum(not job.is_over for job in self._jobs) >= _MOST_WAITING:
                raise SettingsError(f"{_MOST_WAITING} jobs wait already; let some of them finish")
            folder.mkdir(parents=True, exist_ok=True)
            number = next(self._numbers)
            log = folder / f"job-{number}.log"
            job = Job(
                number=number,
                kind=kind,
                title=title,
                commands=commands,
                log=log,
                folder=folder,
                output=output,
            )
            self._jobs = [*self._jobs[-_MOST_KEPT:], job]
            self._news.notify()
        self._changed()
        return job

    def find(self, number: int) -> Job:
        """A job by its number.

        Raises:
            SettingsError: there is none.
        """
        job = next((job for job in self._jobs if job.number == number), None)
        if job is None:
            raise SettingsError(f"there is no job {number}")
        return job

    def stop(self, number: int) -> None:
        """Take a job out of the queue, or interrupt it if it runs; a second time ends it at once."""
        job = self.find(number)
        with self._news:
            job.num_stops += 1
            if job.state == "waiting":
                job.state, job.ended = "stopped", time.time()
        self._changed()

    def facts(self) -> list[dict[str, Any]]:
        """What a page shows of all jobs, the latest first."""
        return [job.facts() for job in reversed(self._jobs)]

    def close(self) -> None:
        """Stop everything, and wait until it has stopped."""
        with self._news:
            self._is_closing = True
            for job in self._jobs:
                job.num_stops = max(job.num_stops, 1)
            self._news.notify()
        self._thread.join(timeout=_PATIENCE_S + 5)

    def _work(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._is_closing or self._next() is not None)
                job = self._next()
                if self._is_closing or job is None:
                    return
                job.state, job.began = "running", time.time()
            self._changed()
            try:
                state = self._run(job)
            except OSError as error:
                with contextlib.suppress(OSError):
                    job.log.write_text(f"Error: {error}\n", "utf-8")
                state = "failed"
            with self._news:
                job.state, job.ended = state, time.time()
            self._changed()

    def _next(self) -> Job | None:
        return next((job for job in self._jobs if job.state == "waiting"), None)

    def _run(self, job: Job) -> str:
        with job.log.open("wb") as log:
            for words in job.commands:
                process = subprocess.Popen(
                    [*_COMMAND, *words],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                status = _await(process, job)
                if job.num_stops:
                    return "stopped"
                if status != 0:
                    return "failed"
        return "done"


def _await(process: "subprocess.Popen[bytes]", job: Job) -> int:
    """Wait for a process; interrupt it at the first stop, kill it and its children at the second or after a minute."""
    asked_at: float | None = None
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=_POLL_S)
        if job.num_stops and asked_at is None:
            asked_at = time.monotonic()
            process.send_signal(signal.SIGINT)
        if asked_at is not None and (job.num_stops > 1 or time.monotonic() - asked_at > _PATIENCE_S):
            with contextlib.suppress(OSError):  # it has just ended; macOS kills no group of zombies
                os.killpg(process.pid, signal.SIGKILL)
            return process.wait()


def _last_line(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(file.tell() - _TAIL_BYTES, 0))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip()[-300:] for line in reversed(lines) if line.strip()), "")
