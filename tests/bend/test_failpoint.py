"""Dying on purpose: the grammar, what is counted, and what it costs when nobody asks for it."""

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bend.errors import SettingsError
from bend.failpoint import Clause, parse

ARMED = """
import sys
from bend.failpoint import arm
from stylegan.atomic import write_atomic
arm(sys.argv[1])
for name in ("a.txt", "b.png", "c.txt"):
    write_atomic(name, "whole")
"""


def run(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ARMED, text]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


def test_grammar() -> None:
    assert parse("named:kill:3") == (Clause(name="named", action="kill", nth=3),)
    assert parse("written@*.zip:ENOSPC:1,*:stop:20") == (
        Clause(name="written", file="*.zip", action="ENOSPC"),
        Clause(name="*", action="stop", nth=20),
    )
    assert parse("*:count:/a:b")[0].report == "/a:b"


@pytest.mark.parametrize(
    "text", ["", "named", "named:kill", "named:kill:0", "named:kill:x", "named:burn:1", ":kill:1"]
)
def test_what_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="BEND_FAILPOINT"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("written:kill:1", []),
        ("named:kill:1", ["a.txt"]),
        ("flushed@*.png:kill:1", ["a.txt"]),
        ("begun@*.txt:kill:2", ["a.txt", "b.png"]),
        ("named:kill:9", ["a.txt", "b.png", "c.txt"]),
    ],
)
def test_the_nth_moment_of_a_name_and_a_file(tmp_path: Path, text: str, left: list[str]) -> None:
    done = run(tmp_path, text)
    assert done.returncode == (0 if len(left) == 3 else -signal.SIGKILL), done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if ".tmp" not in path.name) == left


def test_an_error_is_the_systems(tmp_path: Path) -> None:
    done = run(tmp_path, "written:ENOSPC:2")
    assert f"[Errno {errno.ENOSPC}] No space left on device: 'b.png'" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_moments_are_counted(tmp_path: Path) -> None:
    count = tmp_path / "count"
    assert run(tmp_path, f"named:count:{count}").returncode == 0
    assert count.read_text() == "3\n"


def test_nothing_listens_unless_asked() -> None:
    code = "import sys, bend.cli; sys.argv = ['bend', '-V']\ntry: bend.cli.main()\nexcept SystemExit: pass\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "print('bend.failpoint' in sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "False"


def test_a_command_says_what_it_cannot_read() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import bend.cli; bend.cli.main()", "-V"],
        env={"BEND_FAILPOINT": "nonsense", "PATH": ""},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (1, "Error: BEND_FAILPOINT: nonsense is not NAME:ACTION:NTH\n")
