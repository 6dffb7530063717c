"""Long work, one at a time."""

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bend.errors import SettingsError
from bend.studio.jobs import Jobs
from tests.bend.studio.conftest import eventually

_STUBBORN = """
import os, signal, sys
signal.signal(signal.SIGINT, lambda *_: print("saving", flush=True))
if os.fork() == 0:
    pipe = open(sys.argv[1], "wb", buffering=0)
    pipe.write(b"alive")
while True:
    signal.pause()
"""
"""A process that takes forever to save, and its child, which holds a pipe open."""


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    queue = Jobs()
    yield queue
    queue.close()


def test_one_after_the_other_each_with_its_last_words(jobs: Jobs, tmp_path: Path) -> None:
    good = jobs.submit("film", "good", [["--version"]], tmp_path)
    bad = jobs.submit("film", "bad", [["render", "nothing"], ["--version"]], tmp_path, tmp_path / "no.mp4")
    eventually(lambda: good.is_over and bad.is_over)
    assert (good.state, bad.state) == ("done", "failed")
    assert good.ended <= bad.began
    latest, first = jobs.facts()
    assert latest["line"].startswith("Error: ")
    assert "bend, version" in first["line"]
    assert not latest["has_output"]


def test_modules_in_the_working_folder_are_not_taken_for_ours(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "click.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    job = jobs.submit("film", "mine", [["--version"]], tmp_path)
    eventually(lambda: job.is_over)
    assert "bend, version" in jobs.facts()[0]["line"]


def test_what_waits_is_taken_out_and_what_runs_is_interrupted(
    jobs: Jobs, tmp_path: Path, tiny_network: Path
) -> None:
    film = tmp_path / "long.mp4"
    words = ["render", "latent-walk", "--network", str(tiny_network), "--seconds", "3600", "-o", str(film)]
    running = jobs.submit("film", "long", [words], tmp_path)
    waiting = jobs.submit("film", "later", [words], tmp_path)
    eventually(lambda: running.state == "running")
    jobs.stop(waiting.number)
    assert waiting.state == "stopped"
    jobs.stop(running.number)
    eventually(lambda: running.is_over)
    assert running.state == "stopped"
    assert waiting.began == 0
    assert not film.exists()


def test_a_second_stop_ends_it_at_once_with_its_children(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bend.studio.jobs._COMMAND", (sys.executable, "-c", _STUBBORN))
    os.mkfifo(tmp_path / "pipe")
    pipe = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    job = jobs.submit("film", "stubborn", [[str(tmp_path / "pipe")]], tmp_path)
    eventually(lambda: _read(pipe) == b"alive")
    jobs.stop(job.number)
    eventually(lambda: job.facts()["line"] == "saving")
    assert job.facts()["is_stopping"]
    jobs.stop(job.number)
    eventually(lambda: job.is_over, seconds=10)
    assert job.state == "stopped"
    eventually(lambda: _read(pipe) == b"", seconds=10)
    os.close(pipe)


def test_a_process_that_ends_before_it_is_killed_is_stopped_all_the_same(
    jobs: Jobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = os.killpg

    def kill_zombies(group: int, number: int) -> None:
        killed(group, number)
        raise PermissionError(errno.EPERM, "a group of zombies")

    monkeypatch.setattr("os.killpg", kill_zombies)
    monkeypatch.setattr("bend.studio.jobs._COMMAND", (sys.executable, "-c", "import signal; signal.pause()"))
    job = jobs.submit("film", "gone", [[]], tmp_path)
    eventually(lambda: job.state == "running")
    for _ in range(2):
        jobs.stop(job.number)
    eventually(lambda: job.is_over)
    assert job.state == "stopped"


def test_the_end_of_the_studio_is_no_second_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bend.studio.jobs._COMMAND", (sys.executable, "-c", "import signal; signal.pause()"))
    jobs = Jobs()
    job = jobs.submit("train", "saving", [[]], tmp_path)
    eventually(lambda: job.state == "running")
    jobs.stop(job.number)
    jobs.close()
    assert (job.state, job.num_stops) == ("stopped", 1)


def test_there_is_an_end_to_the_queue(jobs: Jobs, tmp_path: Path) -> None:
    first = jobs.submit("film", "one", [["--version"]] * 200, tmp_path)
    for number in range(31):
        jobs.submit("film", str(number), [["--version"]], tmp_path)
    with pytest.raises(SettingsError, match="wait already"):
        jobs.submit("film", "too many", [["--version"]], tmp_path)
    with pytest.raises(SettingsError, match="no job 99"):
        jobs.stop(99)
    for job in jobs.facts():
        jobs.stop(job["number"])
    eventually(lambda: first.is_over)


def _read(pipe: int) -> bytes | None:
    """What came; empty where nobody holds the other end, None where nothing came yet."""
    try:
        return os.read(pipe, 100)
    except BlockingIOError:
        return None
