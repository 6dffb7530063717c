"""Many items on several processes: order, few in flight, and what happens when a worker or the caller stops."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bend.errors import PackageError
from bend.prepare.parallel import map_in_order


def _slow_square(number: int) -> int:
    time.sleep(0.02 if number % 5 == 0 else 0)
    return number * number


def _process(_: int) -> int:
    time.sleep(0.02)
    return os.getpid()


def _die(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def _fail(number: int) -> int:
    return 1 // (3 - number)


def _chatter(number: int) -> int:
    print("a decoder's remark")  # must not land among the answers
    os.write(1, b"and another\n")
    return number


def _sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@pytest.mark.parametrize("num_workers", [1, 2, 3])
def test_results_come_in_order(num_workers: int) -> None:
    results = map_in_order(_slow_square, range(30), num_workers=num_workers)
    assert list(results) == [i * i for i in range(30)]


def test_several_processes_are_used_and_none_is_this_one() -> None:
    processes = set(map_in_order(_process, range(12), num_workers=2))
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_modules_in_the_working_folder_are_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    assert list(map_in_order(abs, range(4), num_workers=2)) == [0, 1, 2, 3]


@pytest.mark.parametrize("num_workers", [1, 2])
def test_only_a_few_items_are_taken_ahead(num_workers: int) -> None:
    taken = []

    def items() -> Iterator[int]:
        for i in range(1000):
            taken.append(i)
            yield i

    results = map_in_order(_slow_square, items(), num_workers=num_workers)
    for expected in range(5):
        assert next(results) == expected**2
        assert len(taken) <= expected + 1 + 4 * num_workers
    results.close()
    assert len(taken) < 20


def test_closing_stops_at_once() -> None:
    running = map_in_order(_sleep, [0.0, 0.0, *[600.0] * 6], num_workers=2)
    assert next(running) == 0
    start = time.monotonic()
    running.close()
    assert time.monotonic() - start < 120  # the sleepers would take ten minutes


def test_a_killed_worker_is_one_line() -> None:
    with pytest.raises(
        PackageError, match="killed by signal 9, most likely for lack of memory; try fewer --workers"
    ):
        list(map_in_order(_die, range(20), num_workers=2))


def test_a_worker_that_fails_says_why_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PackageError, match="a worker process failed"):
        list(map_in_order(_fail, range(20), num_workers=2))
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_what_a_decoder_prints_does_no_harm(capfd: pytest.CaptureFixture[str]) -> None:
    assert list(map_in_order(_chatter, range(10), num_workers=2)) == list(range(10))
    assert capfd.readouterr().out == ""


SCRIPT = """
import math, os, sys, time
from bend.prepare.parallel import map_in_order
for i, root in enumerate(map_in_order(math.sqrt, (float(i) for i in range(40)), num_workers=2)):
    assert root == math.sqrt(i)
print("done")
if len(sys.argv) > 1:
    running = map_in_order(time.sleep, [0.0] * 2 + [1.0] * 100, num_workers=2)
    next(running)
    print("running", flush=True)
    for _ in running: pass
"""


def test_a_script_without_a_main_guard_is_not_run_anew(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("done\n", "")


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
def test_workers_end_when_their_parent_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen([sys.executable, script, "go"], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert [parent.stdout.readline(), parent.stdout.readline()] == ["done\n", "running\n"]
        children = _children(parent.pid)
        parent.kill()
    assert len(children) == 2
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{child}/cmdline").exists() and _is_ours(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(word) for word in text.split()]


def _is_ours(process: int) -> bool:
    try:
        return b"bend.prepare.worker" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False
