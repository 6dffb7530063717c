"""SIGINT, SIGTERM and SIGHUP, four commands, standing still and at work: a clean end, and the same command goes on.

A command at work sends itself the signal at a write site; one that stands still has been stopped there, gets it from
outside and is then continued. Where a second signal ends the command shows that it does so at once: before the write
that the first let pass.
"""

import signal
from pathlib import Path

import pytest

from tests.reliability.conftest import Bench
from tests.reliability.works import WORKS, faults, leftovers

STATUS = {"int": 130, "term": 143, "hup": 143}
SIGNALS = {"int": signal.SIGINT, "term": signal.SIGTERM, "hup": signal.SIGHUP}
POINTS = {
    "scrape": ("placed", 3),
    "package": ("member", 8),
    "finetune": ("written@state-latest.pt", 2),
    "frames": ("written@*.png", 4),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", STATUS)
@pytest.mark.parametrize("name", POINTS)
def test_at_work(bench: Bench, tmp_path: Path, name: str, kind: str) -> None:
    point, nth = POINTS[name]
    folder = tmp_path / "work"
    ended = bench.run(name, folder, BEND_FAILPOINT=f"{point}:{kind}:{nth}")
    assert_clean(ended.status, ended.err, kind, folder)
    assert_goes_on(bench, name, folder)


@pytest.mark.soak
@pytest.mark.parametrize("kind", STATUS)
@pytest.mark.parametrize("name", POINTS)
def test_standing_still(bench: Bench, tmp_path: Path, name: str, kind: str) -> None:
    point, nth = POINTS[name]
    folder = tmp_path / "work"
    with bench.start(name, folder, BEND_FAILPOINT=f"{point}:stop:{nth}") as process:
        process.wait_stopped()
        process.send(SIGNALS[kind], signal.SIGCONT)
        ended = process.wait()
    assert_clean(ended.status, ended.err, kind, folder)
    assert_goes_on(bench, name, folder)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int", "term"])  # a terminal that is closed says so twice
def test_a_second_one_ends_a_training_at_once(bench: Bench, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "work"
    # The first is noted while the state is saved that is due, the second comes before that state has its name.
    points = f"written@state-latest.pt:{kind}:2,flushed@state-latest.pt:{kind}:2"
    ended = bench.run("finetune", folder, BEND_FAILPOINT=points)
    assert_clean(ended.status, ended.err, kind, folder)
    run = next((folder / "runs").iterdir())
    assert not (run / "state-previous.pt").exists(), "the second signal was not heeded at once"
    assert_goes_on(bench, "finetune", folder)


def assert_clean(status: int, err: str, kind: str, folder: Path) -> None:
    """The command says with its status what ended it, and nothing half-made is left."""
    assert status == STATUS[kind], err
    assert "Traceback" not in err
    assert faults(folder) == []
    assert leftovers(folder) == []


def assert_goes_on(bench: Bench, name: str, folder: Path) -> None:
    """The same command makes what it would have made."""
    again = bench.run(name, folder)
    assert again.status == 0, again
    assert WORKS[name].content(folder) == bench.expected(name)
