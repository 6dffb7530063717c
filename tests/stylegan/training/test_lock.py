"""One training per run folder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stylegan.errors import TrainingError
from stylegan.training.lock import RunLock

HOLD = """
import sys, time
from pathlib import Path
from stylegan.training.lock import RunLock
lock = RunLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_one_is_told_who_holds_it(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)
    with pytest.raises(TrainingError, match=f"already being trained, by process {os.getpid()};") as refusal:
        RunLock(tmp_path)
    assert "\n" not in str(refusal.value)
    lock.release()
    RunLock(tmp_path).release()


def test_a_killed_holder_holds_no_more(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(TrainingError, match=f"process {holder.pid};"):
        RunLock(tmp_path)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    RunLock(tmp_path).release()


@pytest.mark.parametrize(
    "content", ["999999999\n", f"{os.getpid()}\n", "no number", ""], ids=["dead", "own", "text", "empty"]
)
def test_a_file_left_behind_is_no_lock(tmp_path: Path, content: str) -> None:
    (tmp_path / ".lock").write_text(content)
    lock = RunLock(tmp_path)
    assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
    lock.release()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        RunLock(tmp_path / "gone")
