"""A child process that loads files which must not do harm, and says what loading each one did and took.

Time is the child's own processor time and memory its own peak, so that other work on the machine does not count.
An audit hook notes whatever would run, import, open or connect while a file is being loaded. The child gives itself
hard limits: what breaks the rules dies, and not the tests with it.
"""

import contextlib
import dataclasses
import json
import queue
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any

__all__ = ["MAX_BYTES", "MAX_SECONDS", "Jail", "Verdict"]

MAX_SECONDS = 10.0
MAX_BYTES = 512 << 20
_ROOT = Path(__file__).parents[4]
_PATIENCE_SECONDS = 300.0
_ROOM_BYTES = 3 << 30  # of address space, of which a process claims far more than it uses
_HARMFUL = (
    "code.", "compile", "cpython.run", "ctypes.", "exec", "ftplib.", "function.", "http.", "import", "marshal.",
    "os.chmod", "os.exec", "os.fork", "os.kill", "os.link", "os.mkdir", "os.posix_spawn", "os.putenv", "os.remove",
    "os.rename", "os.rmdir", "os.spawn", "os.symlink", "os.system", "os.truncate", "os.unsetenv", "pickle.",
    "shutil.", "signal.", "smtplib.", "socket.", "sqlite3.", "subprocess.", "sys.settrace", "sys.setprofile",
    "tempfile.", "urllib.", "webbrowser.",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What loading one file did."""

    refusal: str | None
    """The one line it was refused with, None if it was loaded."""
    crash: str | None
    """An error that is not a refusal."""
    seconds: float
    """Processor time."""
    num_bytes: int
    """How far peak memory has risen above that before the first file."""
    harm: list[str]
    """What ran, was imported, or was opened other than the file."""


class Jail:
    """The child, to be used in a `with` statement."""

    def __enter__(self) -> "Jail":
        command = [sys.executable, "-m", "tests.stylegan.checkpoint.legacy.jail"]
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._questions: IO[str] = self._child.stdin
        self._answers: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._listen, args=(self._child.stdout,), daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._questions.close()
        self._child.kill()
        self._child.wait()
        self._reader.join()
        assert self._child.stdout is not None
        self._child.stdout.close()

    def load(self, path: Path) -> Verdict:
        """Have the child load a file, with the file's folder as its own."""
        self._questions.write(json.dumps(str(path)) + "\n")
        self._questions.flush()
        answer = self._answers.get(timeout=_PATIENCE_SECONDS)
        assert answer, f"loading {path.name} killed the process: {self._child.wait()}"
        return Verdict(**json.loads(answer))

    def _listen(self, stdout: IO[str]) -> None:
        for line in stdout:
            self._answers.put(line)
        self._answers.put("")  # it is dead


class _Watch:
    """Notes what happens while it is on."""

    def __init__(self) -> None:
        self.path = ""
        self.harm: list[str] = []
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.path and (event.startswith(_HARMFUL) or (event == "open" and str(arguments[0]) != self.path)):
            self.harm.append(f"{event} {arguments!r:.200}")


def peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _limit_addresses() -> None:
    with contextlib.suppress(OSError):  # only Linux tells how much is in use already
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + _ROOM_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _serve() -> None:
    """Load the files named on stdin, one JSON string a line, and answer each with a verdict."""
    import os

    import torch

    from stylegan.checkpoint import load_network
    from stylegan.errors import CheckpointError

    torch.set_num_threads(1)
    torch.isfinite(torch.zeros(2).sum() + 1).all()
    watch = _Watch()
    base = 0
    for line in sys.stdin:
        path = Path(json.loads(line))
        os.chdir(path.parent)
        if not base:
            _warm_up(path.parent, load_network)
            _limit_addresses()
            base = peak_bytes()
        refusal = crash = None
        watch.harm = []
        started, watch.path = time.process_time(), str(path)
        try:
            load_network(path)
        except CheckpointError as error:
            refusal = str(error)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what the test is about
            crash = f"{type(error).__name__}: {error}"
        finally:
            watch.path = ""
        verdict = Verdict(
            refusal=refusal,
            crash=crash,
            seconds=time.process_time() - started,
            num_bytes=peak_bytes() - base,
            harm=watch.harm,
        )
        print(json.dumps(dataclasses.asdict(verdict)), flush=True)


def _warm_up(folder: Path, load_network: Any) -> None:
    """Load sound files of every format, so that what Python imports for them is there before the watch begins."""
    from tests.stylegan.checkpoint.legacy.sound import sound_files

    "".encode("cp437")  # the encoding of names in zips
    for path in sound_files(folder):
        load_network(path)
        path.unlink()


if __name__ == "__main__":
    _serve()
