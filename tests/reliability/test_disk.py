"""A disk that is full, broken, forbidden or flaky, at six write sites: files whole or as before, and one line.

`shim.c` makes the system calls on the file that is being written fail once it is half there; a real, small disk is
filled too, where this user may mount one.
"""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.reliability.conftest import Bench
from tests.reliability.works import WORKS, faults, leftovers


@dataclass(frozen=True, slots=True)
class Site:
    """A file that is being written.

    Attributes:
        work: the command that writes it.
        pattern: of its temporary path.
        num_bytes: written to such files before the fault; None for no limit of them.
    """

    work: str
    pattern: str
    num_bytes: int


SITES = {
    "scraped picture": Site("scrape", "*/.scrape/fetched/*", 20_000),
    "zip": Site("package", "*/out/.rocks.*.tmp.zip", 9_000),
    "state": Site("finetune", "*/.state-latest.*.tmp.pt", 900_000),
    "snapshot": Site("finetune", "*/.snapshot-*.tmp.safetensors", 20_000),
    "frame": Site("frames", "*/.frame*.tmp.png", 2_000),
    "film": Site("film", "*/.film.*.tmp.mp4", 1_000),
}
FAULTS = {
    "ENOSPC": "No space left on device",
    "EIO": "Input/output error",
    "EACCES": "Permission denied",
    "short": "",
}
SHORT = {
    ("ENOSPC", "state"),
    ("EIO", "zip"),
    ("EACCES", "film"),
    ("short", "snapshot"),
    ("ENOSPC", "scraped picture"),
}
CASES = [
    pytest.param(fault, site, marks=pytest.mark.slow if (fault, site) in SHORT else pytest.mark.soak)
    for fault in FAULTS
    for site in SITES
]


@pytest.mark.parametrize(("fault", "site"), CASES)
def test_a_fault_of_the_disk(bench: Bench, shim: Path | None, tmp_path: Path, fault: str, site: str) -> None:
    if shim is None:
        pytest.skip("needs a C compiler and LD_PRELOAD")
    what, folder = SITES[site], tmp_path / "work"
    ended = bench.run(what.work, folder, BEND_SHIM=f"{fault}:{what.num_bytes}:{what.pattern}")
    assert faults(folder) == []
    assert leftovers(folder) == []
    if fault == "short":
        assert ended.status == 0, ended
    else:
        assert ended.status == 1, ended
        assert_one_line(ended.err, FAULTS[fault])
        assert bench.run(what.work, folder).status == 0
    assert WORKS[what.work].content(folder) == bench.expected(what.work)


@pytest.mark.slow
def test_a_disk_that_is_full(bench: Bench, tmp_path: Path) -> None:
    with mounted(tmp_path / "small", size="20k"):
        folder = tmp_path / "small" / "work"
        ended = bench.run("package", folder)
        assert ended.status == 1, ended
        assert_one_line(ended.err, FAULTS["ENOSPC"])
        assert list((folder / "out").iterdir()) == []


def assert_one_line(err: str, words: str) -> None:
    """The last line is the error, the only one, and gives the reason."""
    lines = err.splitlines()
    assert [line for line in lines if line.startswith("Error: ")] == lines[-1:], err
    assert words in lines[-1] or "disk is full" in lines[-1]
    assert "Traceback" not in err


@contextlib.contextmanager
def mounted(folder: Path, *, size: str) -> Iterator[None]:
    """A small disk in memory."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        is_mounted = (
            os.geteuid() == 0 and not subprocess.run(command, check=False, capture_output=True).returncode
        )
    except OSError:
        is_mounted = False
    if not is_mounted:
        pytest.skip("may not mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)
