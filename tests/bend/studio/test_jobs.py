"""Long work, one at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bend.errors import SettingsError
from bend.studio.jobs import Jobs
from tests.bend.studio.conftest import eventually


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
