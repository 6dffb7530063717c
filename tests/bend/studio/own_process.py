"""A studio in a process of its own, as a person starts it in a terminal."""

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_COMMAND = (sys.executable, "-u", "-c", "from bend.cli import main; main()")


@contextlib.contextmanager
def studio_process(
    folder: Path, network: Path, *, stderr: int | IO[str] | None = None, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """The process, its port and its token; it is killed in the end if it still runs."""
    words = ["studio", "--network", str(network), "--port", "0", "--no-open", "--device", "cpu"]
    words += ["--runs", str(folder / "runs"), "-o", str(folder / "kept")]
    process = subprocess.Popen(
        [*_COMMAND, *words], stdout=subprocess.PIPE, stderr=stderr, text=True, env=os.environ | environment
    )
    watchdog = threading.Timer(300, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=(\S+)", process.stdout.readline())
        assert found is not None
        yield process, int(found[1]), found[2]
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()
