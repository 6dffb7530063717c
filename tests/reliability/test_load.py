"""Ten thousand frames, a hundred thousand pictures, a day's worth of ticks: memory, threads and descriptors stay flat.

A command stops itself at a quarter of its work and near the end, and is measured while it stands still. Twenty
thousand addresses in one scrape are in `tests/scrapers/test_load.py`; the scoreboard counts both.
"""

import os
import signal
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from bend.prepare.discover import discover
from stylegan.archive import DatasetZip
from tests.reliability.conftest import Bench
from tests.reliability.works import WORKS
from tests.stylegan.archive.zips import encoded, noise

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
MOST_GROWTH_MB = 25.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What a process holds."""

    memory_mb: float
    num_threads: int
    num_files: int


def reading_of(pid: int | str) -> Reading:
    """What a process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Reading(
        pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        sum(1 for _ in Path(f"/proc/{pid}/task").iterdir()),
        sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
    )


def assert_flat(
    bench: Bench, folder: Path, words: list[str], point: str, moments: tuple[int, int], **environ: str
) -> None:
    """The later of two readings, at the n-th passing of a write site, is like the earlier one."""
    folder.mkdir(exist_ok=True)
    stops = ",".join(f"{point}:stop:{nth}" for nth in moments)
    readings = []
    environ |= bench.world.environ(folder) | {"BEND_FAILPOINT": stops}
    with bench.zygote.start(*words, folder=folder, **environ) as process:
        for _ in moments:
            process.wait_stopped()
            readings.append(reading_of(process.pid))
            process.send(signal.SIGCONT)
        ended = process.wait()
    assert ended.status == 0, ended
    early, late = readings
    print(early, late)
    assert late.memory_mb <= early.memory_mb + MOST_GROWTH_MB
    assert late.num_threads <= early.num_threads
    assert late.num_files <= early.num_files


SIZES = [pytest.param(400, marks=pytest.mark.slow), pytest.param(10_000, marks=pytest.mark.soak)]


@pytest.mark.parametrize("num", SIZES)
def test_a_film_of_many_frames(bench: Bench, tmp_path: Path, num: int) -> None:
    words = WORKS["film"].first(bench.world)
    words[words.index("--seconds") + 1] = str(num / 12)
    assert_flat(bench, tmp_path / "work", words, "frame", (num // 4, num - 1))


@pytest.mark.parametrize(
    "num", [pytest.param(300, marks=pytest.mark.slow), pytest.param(4320, marks=pytest.mark.soak)]
)
def test_a_day_of_ticks(bench: Bench, tmp_path: Path, num: int) -> None:
    """A tick every twenty seconds for a day, of a training whose steps do nothing."""
    words = WORKS["finetune"].first(bench.world)
    for option, value in (("--kimg", num * 4 / 1000), ("--snapshots", f"every:{num / 1000}")):
        words[words.index(option) + 1] = str(value)
    environ = {"RELIABILITY_IDLE_STEPS": "1"}
    assert_flat(bench, tmp_path / "work", words, "named@snapshot-*", (2, 5), **environ)
    lines = next((tmp_path / "work" / "runs").glob("*/stats.jsonl")).read_text().splitlines()
    assert len(lines) >= num


@pytest.mark.parametrize(
    "num", [pytest.param(5_000, marks=pytest.mark.slow), pytest.param(100_000, marks=pytest.mark.soak)]
)
def test_an_index_of_many_pictures(tmp_path: Path, num: int) -> None:
    picture = encoded(noise(0, 8, 8, 3))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i in range(num):
            archive.writestr(f"{i // 1000:05d}/img{i:08d}.png", picture)
    before = reading_of("self")
    data = DatasetZip(tmp_path / "a.zip")
    plan = discover([tmp_path / "a.zip"])
    after = reading_of("self")
    assert (len(data), len(plan.pictures)) == (num, num)
    assert data.image(num - 1).shape == (3, 8, 8)
    assert after.memory_mb - before.memory_mb < 50 + num * 0.004  # some 2 kB each in the two lists of them
    assert after.num_files <= before.num_files + 1
