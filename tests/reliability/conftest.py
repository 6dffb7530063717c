"""What the suites share: a zygote, with the shim loaded where there is a compiler, and a world to work on."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.reliability.works import WORKS, Content, World
from tests.reliability.zygote import Ended, Process, Zygote

collect_ignore_glob = [] if os.name == "posix" else ["test_*.py"]

Start = Callable[..., Process]


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The library that makes system calls fail; None where it cannot be compiled."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or os.uname().sysname != "Linux":
        return None
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).with_name("shim.c")
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    return library if subprocess.run(command, check=False, capture_output=True).returncode == 0 else None


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory, shim: Path | None) -> Iterator[Zygote]:
    preload = {} if shim is None else {"LD_PRELOAD": str(shim)}
    with Zygote(tmp_path_factory.mktemp("wardens"), preload) as running:
        yield running


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as ready:
        yield ready


class Bench:
    """Runs works of the table in folders."""

    def __init__(self, zygote: Zygote, world: World, unbroken: Path) -> None:
        self.zygote = zygote
        self.world = world
        self._unbroken = unbroken
        self._expected: dict[str, tuple[Content, int]] = {}

    def start(self, name: str, folder: Path, **environ: str) -> Process:
        """Start the next command of a work."""
        folder.mkdir(exist_ok=True)
        arguments = WORKS[name].arguments(self.world, folder)
        return self.zygote.start(*arguments, folder=folder, **self.world.environ(folder), **environ)

    def run(self, name: str, folder: Path, **environ: str) -> Ended:
        """Run the next command of a work to its end."""
        with self.start(name, folder, **environ) as process:
            return process.wait()

    def expected(self, name: str) -> Content:
        """What the work makes when nothing interrupts it."""
        return self._once(name)[0]

    def num_events(self, name: str) -> int:
        """How many moments it has, as `BEND_FAILPOINT` counts them."""
        return self._once(name)[1]

    def _once(self, name: str) -> tuple[Content, int]:
        if name not in self._expected:
            folder = self._unbroken / name
            count = self._unbroken / f"{name}.count"
            ended = self.run(name, folder, BEND_FAILPOINT=f"*:count:{count}")
            assert ended.status == 0, ended
            content = WORKS[name].content(folder)
            assert content
            self._expected[name] = content, int(count.read_text())
        return self._expected[name]


@pytest.fixture(scope="session")
def bench(zygote: Zygote, world: World, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(zygote, world, tmp_path_factory.mktemp("unbroken"))
