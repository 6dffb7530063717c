"""The table of `docs/reliability.md`, counted: runs every suite in its long form, and prints N of N for each figure.

    python -m tests.reliability.scoreboard [--short] [FIGURE…]

A figure counts the tests of its suite, and of the corpora that live with the part they are about. Tests that had to be
skipped on this machine are listed separately. Moments are drawn from the seed in `test_crashes`, so that every run is
the same.
"""

import platform
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FIGURES", "main"]

_ROOT = Path(__file__).parents[2]
_OWN = "tests/reliability"
# figure -> what counts for it
FIGURES = {
    "crashes survived": (f"{_OWN}/test_crashes.py",),
    "disk and I/O": (f"{_OWN}/test_disk.py",),
    "signals": (f"{_OWN}/test_signals.py",),
    "network": (f"{_OWN}/test_network.py", "tests/scrapers/test_faults.py"),
    "bad pictures": (
        f"{_OWN}/test_pictures.py",
        "tests/bend/prepare/test_intake.py",
        "tests/bend/prepare/test_colour.py",
        "tests/scrapers/test_picture.py",
    ),
    "bad models": (
        f"{_OWN}/test_models.py",
        "tests/stylegan/checkpoint/legacy/test_hostile.py",
        "tests/stylegan/checkpoint/legacy/test_fuzz.py",
        "tests/stylegan/checkpoint/test_hostile.py",
        "tests/stylegan/archive/test_container.py",
        "tests/stylegan/archive/test_dataset.py",
        "tests/bend/test_recipe.py",
    ),
    "load": (f"{_OWN}/test_load.py", "tests/scrapers/test_load.py"),
    "concurrency": (
        f"{_OWN}/test_concurrency.py",
        "tests/stylegan/ops/native/test_build.py::test_two_processes_at_once_build_once",
    ),
    "determinism": (f"{_OWN}/test_determinism.py",),
    "upgrade": (f"{_OWN}/test_upgrade.py",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What became of a figure's cases."""

    figure: str
    num_passed: int
    num_failed: int
    num_skipped: int
    seconds: float

    def line(self) -> str:
        """A row of the table."""
        of = self.num_passed + self.num_failed
        skipped = f"{self.num_skipped} skipped" if self.num_skipped else ""
        return f"| {self.figure} | {self.num_passed} of {of} | {self.seconds:.0f} s | {skipped} |"


def main(arguments: list[str]) -> int:
    """Run the figures named, or all, and print the table; 1 if anything failed."""
    is_short = "--short" in arguments
    wanted = [word for word in arguments if word != "--short"] or list(FIGURES)
    if unknown := set(wanted) - FIGURES.keys():
        print(f"Error: no figure {', '.join(unknown)}; choose from {', '.join(FIGURES)}", file=sys.stderr)
        return 2
    form = "short" if is_short else "long"
    print(f"{form} form, Python {platform.python_version()}, {platform.system()} {platform.machine()}\n")
    print("| Figure | Passed | Took | |\n|---|---|---|---|", flush=True)
    num_failed = 0
    for figure in wanted:
        score = _score(figure, is_short=is_short)
        print(score.line(), flush=True)
        num_failed += score.num_failed
    return int(num_failed > 0)


def _score(figure: str, *, is_short: bool) -> Score:
    marks = "not gpu and not network" + (" and not soak" if is_short else "")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "-p", "no:xdist", "-m", marks, f"--junitxml={report}", *FIGURES[figure]]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options],
            cwd=_ROOT,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        suites = list(ET.parse(report).getroot().iter("testsuite")) if report.exists() else []
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    counts = {
        name: sum(int(one.get(name, 0)) for one in suites)
        for name in ("tests", "failures", "errors", "skipped")
    }
    num_failed = counts["failures"] + counts["errors"] + (not suites)
    return Score(
        figure=figure,
        num_passed=counts["tests"] - num_failed - counts["skipped"],
        num_failed=num_failed,
        num_skipped=counts["skipped"],
        seconds=time.monotonic() - started,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
