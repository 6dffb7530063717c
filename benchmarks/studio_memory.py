"""Whether the studio's memory stays flat while everything that the page can do is done, for minutes or for an hour.

    python benchmarks/studio_memory.py [--minutes 5] [--only drag,roll] [--inside] [--json FILE] [--report FILE]

A script plays a real server over its real socket and addresses, as the page does: it drags, turns, walks, rolls,
breeds, undoes, morphs, records, renders, changes the network and comes back after having gone (`studio_script.py` has
the actions; `--only` plays just some of them). What the server's process holds is read from the system: its own memory
(resident and swapped out, without the files of libraries), that of its children separately, threads and open files. It
prints a line a minute, and at the end the slope of a straight line through the second half. `--inside` starts a server
that also tells how much of what its allocator holds is in use, and how many Python objects there are. Only minutes of
playing count: being stopped for a while (SIGSTOP; the server, too, has `studio_memory` in its command line) spoils no
measurement. Linux only.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from studio_player import Player
from studio_script import ACTIONS, play, twin_of

READ_EVERY_S = 2.0
TERMINATED = 143
PAUSE_S = 15.0
"""Seconds without a reading that mean that the script was stopped meanwhile, and did not play."""
INSIDE = """
import ctypes, gc, json, signal, sys
from bend.cli import main
class Info(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]
mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Info
path = sys.argv[1]
def tell(*_):
    found = mallinfo2()
    with open(path + ".new", "w") as file:
        json.dump({"in_use": found.uordblks + found.hblkhd, "objects": len(gc.get_objects())}, file)
    __import__("os").replace(path + ".new", path)
signal.signal(signal.SIGUSR1, tell)
sys.argv[1:] = sys.argv[2:]
main()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the server held at a moment.

    Attributes:
        seconds: played so far.
        frames: shown so far.
        own_mb: the server's own memory, resident or swapped out.
        resident_mb: all that is resident, files of libraries included.
        children_mb: the own memory of its children, which render films, together.
        threads: of the server.
        files: that it has open.
        in_use_mb: how much of what the allocator holds is in use; None without `--inside`.
        objects: Python objects that the collector tracks; likewise.
    """

    seconds: float
    frames: int
    own_mb: float
    resident_mb: float
    children_mb: float
    threads: int
    files: int
    in_use_mb: float | None = None
    objects: int | None = None


def main() -> None:
    """Start a studio, play it, and print what it held."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--minutes", type=float, default=5.0)
    options.add_argument("--network", default="faces64")
    options.add_argument("--only", default="", help=f"of {', '.join(ACTIONS)}")
    options.add_argument(
        "--inside", action="store_true", help="ask the server's allocator and collector, too"
    )
    options.add_argument("--json", type=Path, help="file for all readings, a line each")
    options.add_argument("--report", type=Path, help="page to write what was found to")
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    names = [name for name in asked.only.split(",") if name] or list(ACTIONS)
    if unknown := set(names) - set(ACTIONS):
        options.error(f"--only {', '.join(unknown)}: no such action")
    readings: list[Reading] = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # else the server would outlive its player
    with (
        tempfile.TemporaryDirectory(prefix="studio_memory-") as folder,
        studio(asked, Path(folder)) as (address, pid),
    ):
        page = Player(address, seed=asked.seed)
        asyncio.run(watched(page, names, asked, pid, Path(folder), readings))
    print(found := told(readings, page))
    if asked.report:
        write_report(asked.report, readings, found)


@contextlib.contextmanager
def studio(asked: argparse.Namespace, folder: Path) -> Iterator[tuple[str, int]]:
    """A server with a second network beside the first one; yields its address with the token, and its process id."""
    code = (
        ["-c", INSIDE, str(folder / "inside.json")]
        if asked.inside
        else ["-c", "from bend.cli import main; main()"]
    )
    words = [
        "studio",
        "--network",
        asked.network,
        "--also",
        str(twin_of(asked.network, folder)),
        "--port",
        "0",
    ]
    words += ["--no-open", "-o", str(folder / "kept"), "--runs", str(folder / "runs")]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-u", *code, *words], stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found is not None, (folder / "server.log").read_text()
        yield found[0], server.pid
    finally:
        server.terminate()
        status = server.wait(timeout=120)
        if status != TERMINATED and (said := (folder / "server.log").read_text().strip()):
            print(f"the server said:\n{said[-2000:]}", file=sys.stderr)


async def watched(
    page: Player,
    names: Sequence[str],
    asked: argparse.Namespace,
    pid: int,
    folder: Path,
    readings: list[Reading],
) -> None:
    """Play until the time is over, and read the server's memory meanwhile."""
    playing = asyncio.create_task(play(page, names))
    played, told_minute, last = 0.0, -1, time.monotonic()
    try:
        while played < asked.minutes * 60 and not playing.done():
            await asyncio.sleep(READ_EVERY_S)
            now = time.monotonic()
            played += now - last if now - last < PAUSE_S else 0.0
            last = now
            readings.append(await read(pid, played, page.frames, folder if asked.inside else None))
            if asked.json:
                with asked.json.open("a") as file:
                    file.write(json.dumps(dataclasses.asdict(readings[-1])) + "\n")
            if int(played // 60) > told_minute:
                told_minute = int(played // 60)
                print(row(readings[-1]), flush=True)
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
        if not playing.cancelled() and playing.exception() is not None:
            raise playing.exception()  # type: ignore[misc]


async def read(pid: int, seconds: float, frames: int, folder: Path | None) -> Reading:
    """Read a process and its children."""
    inside: dict[str, int] = {}
    if folder is not None:
        os.kill(pid, signal.SIGUSR1)
        await asyncio.sleep(0.3)
        with contextlib.suppress(OSError):
            inside = json.loads((folder / "inside.json").read_text())
    own, resident, threads = status_of(pid)
    children = sum(status_of(child)[0] for child in children_of(pid))
    return Reading(
        seconds=seconds,
        frames=frames,
        own_mb=own,
        resident_mb=resident,
        children_mb=children,
        threads=threads,
        files=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        in_use_mb=inside["in_use"] / 2**20 if inside else None,
        objects=inside.get("objects"),
    )


def status_of(pid: int) -> tuple[float, float, int]:
    """Own memory and resident memory of a process in MB, and its threads; zeros for one that has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0, 0.0, 0
    numbers = {name: int(value) for name, value in re.findall(r"^(\w+):\s+(\d+)", text, re.MULTILINE)}
    own = numbers.get("RssAnon", 0) + numbers.get("VmSwap", 0)
    return own / 1024, numbers.get("VmRSS", 0) / 1024, numbers.get("Threads", 0)


def children_of(pid: int) -> list[int]:
    """Children of a process, theirs included."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in path.read_text().split()]
    return [*found, *(grandchild for child in found for grandchild in children_of(child))]


def row(reading: Reading) -> str:
    """One line of a reading."""
    text = (
        f"{reading.seconds / 60:5.1f} min {reading.frames:7d} frames: {reading.own_mb:6.1f} MB of its own, "
        f"{reading.resident_mb:6.1f} resident, children {reading.children_mb:5.1f}, {reading.threads} threads, "
        f"{reading.files} files"
    )
    return text + (
        f", {reading.in_use_mb:.1f} MB in use, {reading.objects} objects" if reading.objects else ""
    )


def told(readings: Sequence[Reading], page: Player) -> str:
    """The results, in a few lines."""
    half = readings[len(readings) // 2 :]
    first = statistics.median(one.own_mb for one in half[: max(len(half) // 5, 1)])
    last = statistics.median(one.own_mb for one in half[-max(len(half) // 5, 1) :])
    by_frames = slope([one.frames for one in half], [one.own_mb for one in half]) * 1000
    by_hours = slope([one.seconds for one in half], [one.own_mb for one in half]) * 3600
    return (
        f"second half, {half[0].frames} to {half[-1].frames} frames: {first:.1f} MB at its beginning, {last:.1f} MB at "
        f"its end (medians of a fifth each), {by_frames:+.3f} MB in 1000 frames, {by_hours:+.2f} MB an hour; most "
        f"{max(one.own_mb for one in readings):.1f} MB; threads {half[0].threads} to {half[-1].threads}, "
        f"files {half[0].files} to {half[-1].files}\n"
        f"played: {', '.join(f'{name} {num}' for name, num in page.played.items())}; "
        f"refused {sum(page.troubles.values())}, connected {page.connected} times"
    )


def slope(at: Sequence[float], values: Sequence[float]) -> float:
    """The slope of the straight line through points."""
    return float(np.polyfit(at, values, 1)[0]) if len(set(at)) > 1 else 0.0


def write_report(path: Path, readings: Sequence[Reading], found: str) -> None:
    """The page about a session: its rows, twelve or so, and what they say."""
    import torch

    step = max(len(readings) // 12, 1)
    rows = [*readings[::step], *([readings[-1]] if (len(readings) - 1) % step else [])]
    lines = [
        "# The studio's memory\n",
        f"`python benchmarks/studio_memory.py --minutes {readings[-1].seconds / 60:.0f}` on {os.cpu_count()} cores of "
        f"{platform.machine()}, torch {torch.__version__}, beside other work. MB of the server's own memory.\n",
        "| minutes | frames | MB | resident | children | threads | files |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {one.seconds / 60:.1f} | {one.frames} | {one.own_mb:.1f} | {one.resident_mb:.1f} | "
            f"{one.children_mb:.1f} | {one.threads} | {one.files} |"
            for one in rows
        ),
        "",
        found,
        "",
    ]
    path.write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main()
