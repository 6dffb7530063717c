"""How quick the studio is: frames a second while the point is dragged, gesture to picture, memory, size of the page.

    python benchmarks/studio.py [--seconds 20] [--session 0] [--page 0] [--network faces64]

A player without a browser drags the point over the map at 60 gestures a second, over a real socket to a real server on
loopback, and acknowledges frames as the page does. With `--session` it then plays a script for so many minutes, as fast
as frames come: drags, bends that come and go, rolls; with `--page` a headless Chromium does the same on the page, and
undoes what it did. Both report how memory developed, as a straight line through the readings after the first fifth.
Linux only, for the memory.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

STATIC = Path(__file__).resolve().parent.parent / "bend" / "studio" / "static"
GESTURES_A_SECOND = 60
TURN_FRAMES = 30
CHUNK_SECONDS = 8
BENDS = [
    ("rotate", ["25"]),
    ("swirl", ["lfo(sine,0..90,2s)"]),
    ("blur", ["1"]),
    ("perturb", ["0.2", "1"]),
    ("fold", []),
]
PLAY_PAGE = """async (seconds) => {
    const { store, connection } = bendStudio;
    const chips = [...document.querySelectorAll(".palette .chip")];
    const roll = [...document.querySelectorAll("button")].find((button) => button.textContent === "Roll");
    const began = performance.now(), first = connection.frames, lags = [];
    let num = 0;
    while (performance.now() - began < seconds * 1000) {
        await new Promise(requestAnimationFrame);
        const t = performance.now() / 2500;
        store.change((patch) => Object.assign(patch.place, { x: t % 1, y: (t * 0.37) % 1, to: null, share: 0 }));
        lags.push(connection.lag);
        num += 1;
        if (num % 60 === 20) chips[Math.floor(Math.random() * chips.length)].click();
        if (num % 60 === 50) { store.undo(); store.undo(); }
        if (num % 240 === 0) roll?.click();
    }
    lags.sort((a, b) => a - b);
    return { frames: connection.frames - first, lag: lags[lags.length >> 1] };
}"""


def main() -> None:
    """Start a studio, play it, and print the results."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--seconds", type=float, default=20.0, help="of dragging")
    options.add_argument("--session", type=float, default=0.0, help="minutes of a script over the socket")
    options.add_argument("--page", type=float, default=0.0, help="minutes of a script on the page")
    options.add_argument("--network", default="faces64")
    options.add_argument(
        "--threads", default="", help="OMP_NUM_THREADS of the server; its own choice if left out"
    )
    asked = options.parse_args()
    files = [path for path in STATIC.rglob("*") if path.is_file()]
    print(f"page: {sum(path.stat().st_size for path in files) / 1000:.1f} kB in {len(files)} files")
    with studio(asked.network, asked.threads) as (address, pid):
        asyncio.run(play(address, asked, pid))
        if asked.page:
            play_page(address, asked.page * 60, pid)


@contextlib.contextmanager
def studio(network: str, threads: str) -> Iterator[tuple[str, int]]:
    """A server; yields its address with the token, and its process id."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["studio", "--network", network, "--port", "0", "--no-open", "-o", folder]
        words += ["--runs", f"{folder}/runs"]
        environment = os.environ | ({"OMP_NUM_THREADS": threads} if threads else {})
        command = [sys.executable, "-u", "-c", "from bend.cli import main; main()", *words]
        server = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found is not None
            yield found[0], server.pid
        finally:
            server.terminate()
            server.wait(timeout=60)


async def play(address: str, asked: argparse.Namespace, pid: int) -> None:
    """Drag, then play the script."""
    async with connect(
        address.replace("http:", "ws:").replace("/?token", "/live?token"), max_size=None
    ) as socket:
        patch: dict[str, Any] = {"network": Path(asked.network).name, "place": {"x": 0.0, "y": 0.0}}
        await drag(socket, patch, 3.0)  # the first frames also set things up
        lags, seconds = await drag(socket, patch, asked.seconds)
        lags.sort()
        print(
            f"dragging: {len(lags) / seconds:.1f} frames/s; gesture to picture: "
            f"median {statistics.median(lags):.0f} ms, 95 % under {lags[int(0.95 * len(lags))]:.0f} ms"
        )
        if asked.session:
            await session(socket, patch, asked.session * 60, pid)


async def drag(
    socket: ClientConnection, patch: dict[str, Any], seconds: float, frames: int | None = None
) -> tuple[list[float], float]:
    """Move the point for that long or that many frames; returns ms from gesture to picture by frame, and seconds."""
    sent: dict[int, float] = {}
    lags: list[float] = []
    began = time.monotonic()

    async def listen() -> None:
        while time.monotonic() - began < seconds and (frames is None or len(lags) < frames):
            data = await socket.recv()
            if isinstance(data, str):
                continue
            length = int.from_bytes(data[:4], "big")
            meta = json.loads(data[4 : 4 + length])
            if meta["kind"] != "frame":
                continue
            await socket.send(json.dumps({"do": "shown", "number": meta["number"]}))
            if meta["gesture"] in sent:
                lags.append((time.monotonic() - sent[meta["gesture"]]) * 1000)

    listening = asyncio.create_task(listen())
    number = int(time.monotonic() * 1000)
    while not listening.done():
        number += 1
        phase = (time.monotonic() - began) * 0.4
        patch["place"] |= {"x": phase % 1, "y": (phase * 0.37) % 1}
        sent[number] = time.monotonic()
        await socket.send(json.dumps({"do": "play", "patch": patch, "gesture": number}))
        await asyncio.sleep(1 / GESTURES_A_SECOND)
    listening.result()
    return lags, time.monotonic() - began


async def session(socket: ClientConnection, patch: dict[str, Any], seconds: float, pid: int) -> None:
    """Play by script, turn by turn, and report how the server's memory developed."""
    dice, began = random.Random(0), time.monotonic()
    readings: list[tuple[float, float]] = []
    turn = 0
    while time.monotonic() - began < seconds:
        patch["modules"] = [
            {
                "key": f"{name}-{turn}",
                "name": name,
                "values": values,
                "tap": f"b{dice.choice([8, 16, 32])}.conv1",
            }
            for name, values in dice.sample(BENDS, dice.randrange(3))
        ]
        patch["trunc"] = dice.choice(["1", "0.7", "lfo(sine,0.3..1,3s)"])
        patch["place"]["seeds"] = [dice.randrange(1000) for _ in range(3)]
        watched = dice.choice([[], ["b8.conv1", "b16.conv1", "b32.conv1"]])
        await socket.send(json.dumps({"do": "watch", "taps": watched}))
        await drag(socket, patch, 60.0, TURN_FRAMES)
        await socket.send(json.dumps({"do": "roll", "num": 1, "seed": turn}))
        await finished(socket)
        turn += 1
        readings.append((turn * TURN_FRAMES, resident_mb(pid)))
    print(
        f"session over the socket, {seconds / 60:g} minutes: {turn * TURN_FRAMES} frames dragged, {turn} racks, "
        f"{turn} rolls; the server {trend(readings)}"
    )


async def finished(socket: ClientConnection) -> None:
    """Wait until the roll is over; pages that do not say what they have shown get no more frames meanwhile."""
    while True:
        data = await socket.recv()
        if isinstance(data, str) and json.loads(data)["kind"] == "finished":
            return


def play_page(address: str, seconds: float, pid: int) -> None:
    """Play the page itself in headless Chromium, and report how its memory and the server's developed."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        page.wait_for_selector(".meter:not(:empty)")
        inside = page.context.new_cdp_session(page)
        heap: list[tuple[float, float]] = []
        resident: list[tuple[float, float]] = []
        lags: list[float] = []
        done, began = 0, time.monotonic()
        while time.monotonic() - began < seconds:
            seen = page.evaluate(PLAY_PAGE, CHUNK_SECONDS)
            done += seen["frames"]
            lags.append(seen["lag"])
            inside.send("HeapProfiler.collectGarbage")
            heap.append((done, inside.send("Runtime.getHeapUsage")["usedSize"] / 2**20))
            resident.append((done, resident_mb(pid)))
        nodes = page.evaluate("document.querySelectorAll('*').length")
        browser.close()
    lag = statistics.median(lags)
    print(
        f"session on the page, {seconds / 60:g} minutes: {done} frames, gesture to picture {lag:.0f} ms; "
        f"the page's heap {trend(heap)}, {nodes} elements; the server {trend(resident)}"
    )


def trend(readings: list[tuple[float, float]]) -> str:
    """From where to where readings of (frames, MB) went, and how steeply."""
    later = np.asarray(readings[len(readings) // 5 :])
    slope = np.polyfit(later[:, 0], later[:, 1], 1)[0] * 1000 if len(later) > 1 else 0.0
    return f"from {later[0, 1]:.1f} to {later[-1, 1]:.1f} MB, {slope:+.2f} MB in 1000 frames"


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    line = next(
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
