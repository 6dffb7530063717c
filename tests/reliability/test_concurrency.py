"""Two of the same at once: one wins, the other says so, and nothing is torn.

The first is stopped half-way, the second runs to its end, then the first is let go on.
"""

import signal
from pathlib import Path

import pytest

from tests.reliability.conftest import Bench
from tests.reliability.works import WORKS, faults, leftovers
from tests.reliability.zygote import Ended

pytestmark = pytest.mark.slow


def both(bench: Bench, name: str, folder: Path, point: str, nth: int) -> tuple[Ended, Ended]:
    """How the one stopped at its write site ended, and the one that ran meanwhile."""
    with bench.start(name, folder, BEND_FAILPOINT=f"{point}:stop:{nth}") as first:
        first.wait_stopped()
        second = bench.run(name, folder)
        first.send(signal.SIGCONT)
        return first.wait(), second


def assert_whole(bench: Bench, name: str, folder: Path) -> None:
    """What is there is what one alone would have made."""
    assert WORKS[name].content(folder) == bench.expected(name)
    assert faults(folder) == []
    assert leftovers(folder) == []


@pytest.mark.parametrize(
    ("name", "point", "nth", "words"),
    [
        ("scrape", "placed", 3, "another scrape is at work in this folder"),
        ("pull", "fetched", 1, "is being pulled by process"),
    ],
)
def test_the_second_is_kept_out(
    bench: Bench, tmp_path: Path, name: str, point: str, nth: int, words: str
) -> None:
    first, second = both(bench, name, tmp_path / "work", point, nth)
    assert (first.status, second.status) == (0, 1), (first, second)
    assert words in second.err.splitlines()[-1]
    assert_whole(bench, name, tmp_path / "work")


@pytest.mark.parametrize(("name", "point", "nth"), [("package", "member", 8), ("film", "frame", 6)])
def test_the_later_one_does_not_replace(
    bench: Bench, tmp_path: Path, name: str, point: str, nth: int
) -> None:
    first, second = both(bench, name, tmp_path / "work", point, nth)
    assert (first.status, second.status) == (1, 0), (first, second)
    assert "--force" in first.err.splitlines()[-1]
    assert_whole(bench, name, tmp_path / "work")


def test_frames_are_drawn_by_both_and_are_the_same(bench: Bench, tmp_path: Path) -> None:
    first, second = both(bench, "frames", tmp_path / "work", "written@*.png", 4)
    assert (first.status, second.status) == (0, 0), (first, second)
    assert_whole(bench, "frames", tmp_path / "work")


def test_a_run_that_is_trained_is_not_resumed(bench: Bench, tmp_path: Path) -> None:
    first, second = both(bench, "finetune", tmp_path / "work", "written@state-latest.pt", 2)
    assert (first.status, second.status) == (0, 1), (first, second)
    assert "already being trained, by process" in second.err.splitlines()[-1]
    assert_whole(bench, "finetune", tmp_path / "work")


def test_two_new_runs_get_two_folders(bench: Bench, tmp_path: Path) -> None:
    first, second = both(bench, "finetune", tmp_path / "work", "begun@training_options.json", 1)
    assert (first.status, second.status) == (0, 0), (first, second)
    assert [run.name[:5] for run in sorted((tmp_path / "work" / "runs").iterdir())] == ["00000", "00001"]
    assert_whole(bench, "finetune", tmp_path / "work")
