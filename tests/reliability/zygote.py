"""Commands by the hundred: a process that has imported everything once and forks a copy of itself for each.

A fork of the zygote is `bend` as a person starts it (arguments, folder, environment, a terminal's signals), without the
seconds that importing torch takes. Its parent, a warden that does nothing else, writes down what becomes of it: that it
stopped, with which status it ended, or which signal killed it. Moments are never chosen by time but by
`BEND_FAILPOINT`, whose `stop` lets a test do something while the command stands still.
"""

import atexit
import contextlib
import dataclasses
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

__all__ = ["Ended", "Process", "Zygote"]

_ROOT = Path(__file__).parents[2]
_PATIENCE_S = 300.0  # of a test that hangs; nothing is measured by it
_POLL_S = 0.004


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    status: int
    """Exit status; the signal's number, negative, where one killed it."""
    out: str
    err: str


class Process:
    """A command under way; killed when the `with` block ends."""

    def __init__(self, prefix: Path) -> None:
        self._prefix = prefix
        self._num_read = 0
        self.pid = int(self._next()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def send(self, *signals: int) -> None:
        """Send signals, one after the other."""
        for number in signals:
            os.kill(self.pid, number)

    def wait_stopped(self) -> None:
        """Return once the command has stopped itself at its failpoint."""
        event = self._next()
        assert event[0] == "stopped", (event, self._ended(0))

    def wait(self) -> Ended:
        """Return once it has ended."""
        while (event := self._next())[0] == "stopped":
            pass
        assert event[0] == "ended"
        return self._ended(int(event[1]))

    def _ended(self, status: int) -> Ended:
        out, err = (self._prefix.with_suffix(f".{name}").read_text() for name in ("out", "err"))
        return Ended(status=status, out=out, err=err)

    def _next(self) -> list[str]:
        """The next thing that the warden wrote down."""
        give_up = time.monotonic() + _PATIENCE_S
        while time.monotonic() < give_up:
            with contextlib.suppress(FileNotFoundError):
                lines = self._prefix.with_suffix(".events").read_text().split("\n")[:-1]
                if len(lines) > self._num_read:
                    self._num_read += 1
                    return lines[self._num_read - 1].split()
            time.sleep(_POLL_S)
        raise AssertionError("the command hangs")


class Zygote:
    """The process; a context manager.

    Args:
        notes: a folder where the wardens write.
        environ: what it has in its environment besides this process's own.
    """

    def __init__(self, notes: Path, environ: Mapping[str, str]) -> None:
        self._notes = notes
        self._environ = environ
        self._num = 0

    def __enter__(self) -> Self:
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env={**os.environ, **threads, **self._environ},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders: IO[str] = self._process.stdin
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._orders.close()
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def start(self, *arguments: object, folder: Path, **environ: str) -> Process:
        """Start `bend ARGUMENTS` in a folder.

        Args:
            arguments: what is typed after `bend`.
            folder: the current one.
            environ: changes to the environment.
        """
        self._num += 1
        prefix = self._notes / f"{self._num:05d}"
        order = {"arguments": [str(one) for one in arguments], "folder": str(folder), "environ": environ}
        self._orders.write(json.dumps(order | {"prefix": str(prefix)}) + "\n")
        self._orders.flush()
        return Process(prefix)

    def run(self, *arguments: object, folder: Path, **environ: str) -> Ended:
        """Run `bend ARGUMENTS` in a folder to its end."""
        with self.start(*arguments, folder=folder, **environ) as process:
            return process.wait()


def _serve() -> None:
    """Fork a command for each order on stdin."""
    orders = sys.stdin
    _prepare()
    print("ready", flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for wardens
    for line in orders:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _guard(**json.loads(line))
            os._exit(0)


def _prepare() -> None:
    """Import what commands import, and make them quicker and smaller than a person would want."""
    import importlib

    import torch
    from PIL import Image

    import bend.gather
    from bend import cli
    from stylegan.training import session
    from tests.scrapers.conftest import HURRIED

    for module in (
        *(row[0] for row in cli._COMMANDS.values()),
        "bend.training.session",
        "bend.renders.latent_walk",
    ):
        importlib.import_module(module)
    for command in ("finetune", "latent_walk", "images"):
        with contextlib.suppress(ImportError):
            importlib.import_module(f"bend.commands.render_{command}")
    Image.init()
    torch.set_num_threads(1)
    session._NUM_FAKES = 4
    bend.gather.ClientConfig = functools.partial(dataclasses.replace, HURRIED)  # type: ignore[assignment, misc]


def _guard(arguments: list[str], folder: str, environ: dict[str, str], prefix: str) -> None:
    """Fork the command and write down what becomes of it."""
    with Path(f"{prefix}.events").open("a") as events:
        pid = os.fork()
        if pid == 0:
            _be(arguments, folder, environ, prefix)
        events.write(f"pid {pid}\n")
        events.flush()
        while True:
            status = os.waitpid(pid, os.WUNTRACED)[1]
            if os.WIFSTOPPED(status):
                events.write("stopped\n")
                events.flush()
                continue
            events.write(f"ended {os.waitstatus_to_exitcode(status)}\n")
            return


def _be(arguments: list[str], folder: str, environ: dict[str, str], prefix: str) -> None:
    """Become the command."""
    os.setsid()
    for number, name in enumerate((os.devnull, f"{prefix}.out", f"{prefix}.err")):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(name, flags, 0o600), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.update(environ)
    if shop := environ.get("RELIABILITY_SHOP"):
        _sell(shop)
    if "RELIABILITY_IDLE_STEPS" in environ:
        _idle()
    sys.argv = ["bend", *arguments]
    status: Any = 0
    try:
        from bend.cli import main

        main()
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException:  # noqa: BLE001 - what Python itself would do
        sys.excepthook(*sys.exc_info())
        status = 1
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(status))


def _sell(url: str) -> None:
    """Offer `ffhq256` in a shop on loopback."""
    from stylegan.checkpoint import known

    known.KNOWN["ffhq256"] = dataclasses.replace(known.KNOWN["ffhq256"], url=url)


def _idle() -> None:
    """Make training steps do nothing but report each one."""
    from stylegan.training import loop

    def step(state: Any, hyper: Any, reals: Any, *rest: Any, micro_batch: int, **settings: Any) -> int:
        state.cur_nimg += len(reals)
        state.step += 1
        return micro_batch

    loop.train_step = step  # type: ignore[assignment]
    loop._TICK_NIMG = 1


if __name__ == "__main__":
    _serve()
