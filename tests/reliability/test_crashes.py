"""kill -9 at sixty random moments and at sixty named ones: the same command run again finishes, to the same bytes.

Random moments are drawn from the events counted in an uninterrupted run: opening, renaming and removing files,
connecting, and passing write sites. The seed is the number of the case.
"""

import random
import signal
from pathlib import Path

import pytest

from tests.reliability.conftest import Bench
from tests.reliability.works import WORKS, faults, leftovers

SEED = 20261122
RANDOM = {"scrape": 15, "package": 15, "finetune": 15, "frames": 8, "film": 7}
NUM_SHORT = 1  # of each, in the short form
# Which write site, and at which of its occurrences.
POINTS: dict[str, dict[str, tuple[int, ...]]] = {
    "scrape": {
        "page": (1,),
        "fetched": (1, 4, 7, 8, 10, 12),
        "placed": (1, 4, 7, 9, 12),
        "line": (1, 3, 6, 9, 12),
        "entered": (2, 1, 6, 9, 12),
    },
    "package": {
        "begun@*.zip": (1,),
        "member": (8, 1, 16, 24, 31),
        "written@*.zip": (1,),
        "flushed@*.zip": (1,),
        "named@*.zip": (1,),
    },
    "finetune": {
        "written@state-latest.pt": (2, 1, 3, 4),
        "kept@state-latest.pt": (2, 1, 3),
        "named@state-latest.pt": (4, 1, 2, 3),
        "written@snapshot-*": (2, 1, 3),
        "named@snapshot-*": (1, 2, 3),
    },
    "frames": {"written@*.png": (6, 1), "named@*.png": (12,)},
    "film": {"frame": (6, 1, 12), "flushed@*.mp4": (1,), "named@*.mp4": (1,)},
    "pull": {"block": (2, 1), "fetched": (1,), "pulled": (1,)},
}
_OCCURRENCES = [nths for points in POINTS.values() for nths in points.values()]
assert sum(RANDOM.values()) == sum(map(len, _OCCURRENCES)) == 60
assert len(_OCCURRENCES) >= 12
SHORT = {
    "placed",
    "line",
    "member",
    "kept@state-latest.pt",
    "named@state-latest.pt",
    "named@snapshot-*",
    "written@*.png",
    "frame",
    "pulled",
}


def random_cases() -> list[object]:
    return [
        pytest.param(name, number, marks=pytest.mark.slow if number < NUM_SHORT else pytest.mark.soak)
        for name, count in RANDOM.items()
        for number in range(count)
    ]


def named_cases() -> list[object]:
    return [
        pytest.param(
            name, point, nth, marks=pytest.mark.slow if point in SHORT and not i else pytest.mark.soak
        )
        for name, points in POINTS.items()
        for point, occurrences in points.items()
        for i, nth in enumerate(occurrences)
    ]


@pytest.mark.parametrize(("name", "number"), random_cases())
def test_killed_at_a_random_moment(bench: Bench, tmp_path: Path, name: str, number: int) -> None:
    draws = random.Random(f"{SEED} {name} {number}")
    moment = draws.randint(1, bench.num_events(name))
    killed = bench.run(name, tmp_path / "work", BEND_FAILPOINT=f"*:kill:{moment}")
    assert killed.status in (-signal.SIGKILL, 0), (
        killed
    )  # threads may have taken fewer events than they did once
    assert_survives(bench, tmp_path / "work", name)


@pytest.mark.parametrize(("name", "point", "nth"), named_cases())
def test_killed_at_a_write_site(bench: Bench, tmp_path: Path, name: str, point: str, nth: int) -> None:
    killed = bench.run(name, tmp_path / "work", BEND_FAILPOINT=f"{point}:kill:{nth}")
    assert killed.status == -signal.SIGKILL, killed
    assert_survives(bench, tmp_path / "work", name)


def assert_survives(bench: Bench, folder: Path, name: str) -> None:
    """Nothing bad has a final name, and the same command makes what it would have made."""
    assert faults(folder) == []
    is_there = WORKS[name].content(folder) == bench.expected(name)
    again = bench.run(name, folder)
    if again.status:  # a zip or film that is there already, whole, is not made again without --force
        assert is_there, again
        assert again.status == 1 and " exists" in again.err, again
    assert WORKS[name].content(folder) == bench.expected(name)
    assert faults(folder) == []
    assert leftovers(folder) == []
