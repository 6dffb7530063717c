"""How the studio feels: frames a second while the point is dragged, gesture to picture, memory, the page's weight.

    python benchmarks/studio.py [--seconds 20] [--minutes 0] [--network faces64]

A player without a browser drags the point over the map at 60 gestures a second, over a real socket to a real server on
loopback, and acknowledges frames as the page does. With `--minutes` it then plays a scripted session (drags, bends that
come and go, the dial, presets of chance) for so long and says how the server's memory went. Linux only, for the memory.
"""

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

STATIC = Path(__file__).resolve().parent.parent / "bend" / "studio" / "static"
GESTURES_A_SECOND = 60
BENDS = [
    ("rotate", ["25"]),
    ("swirl", ["lfo(sine,0..90,2s)"]),
    ("blur", ["1"]),
    ("perturb", ["0.2", "1"]),
    ("fold", []),
]


def main() -> None:
    """Start a studio, play it, and print what came of it."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--seconds", type=float, default=20.0, help="of dragging")
    options.add_argument("--minutes", type=float, default=0.0, help="of the scripted session")
    options.add_argument("--network", default="faces64")
    options.add_argument(
        "--threads", default="", help="OMP_NUM_THREADS of the server; its own choice if left out"
    )
    asked = options.parse_args()
    weight = sum(path.stat().st_size for path in STATIC.rglob("*") if path.is_file())
    print(f"page: {weight / 1000:.1f} kB in {sum(path.is_file() for path in STATIC.rglob('*'))} files")
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "studio",
            "--network",
            asked.network,
            "--port",
            "0",
            "--no-open",
            "-o",
            folder,
            "--runs",
            f"{folder}/runs",
        ]
        environment = os.environ | ({"OMP_NUM_THREADS": asked.threads} if asked.threads else {})
        command = [sys.executable, "-u", "-c", "from bend.cli import main; main()", *words]
        server = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        try:
            assert server.stdout is not None
            found = re.search(r"http://(\S+)/\?token=(\S+)", server.stdout.readline())
            assert found is not None
            asyncio.run(play(f"ws://{found[1]}/live?token={found[2]}", asked, server.pid))
        finally:
            server.terminate()
            server.wait(timeout=60)


async def play(address: str, asked: argparse.Namespace, pid: int) -> None:
    """Drag, then play the script."""
    async with connect(address, max_size=None) as socket:
        patch: dict[str, Any] = {"network": Path(asked.network).name, "place": {"x": 0.0, "y": 0.0}}
        await drag(socket, patch, 3.0)  # the first frames also set things up
        lags, frames, seconds = await drag(socket, patch, asked.seconds)
        lags.sort()
        print(
            f"dragging: {frames / seconds:.1f} frames/s; gesture to picture: median {statistics.median(lags):.0f} ms, "
            f"95 % under {lags[int(0.95 * len(lags))]:.0f} ms"
        )
        if asked.minutes:
            await session(socket, patch, asked.minutes * 60, pid)


async def drag(
    socket: ClientConnection, patch: dict[str, Any], seconds: float
) -> tuple[list[float], int, float]:
    """Move the point; gives milliseconds from each shown gesture to its picture, frames, and seconds."""
    sent: dict[int, float] = {}
    lags: list[float] = []
    began = time.monotonic()

    async def listen() -> int:
        frames = 0
        while True:
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
                frames += 1
            if time.monotonic() - began > seconds:
                return frames

    listening = asyncio.create_task(listen())
    number = int(time.monotonic() * 1000)
    while not listening.done():
        number += 1
        phase = (time.monotonic() - began) * 0.4
        patch["place"] |= {"x": phase % 1, "y": (phase * 0.37) % 1}
        sent[number] = time.monotonic()
        await socket.send(json.dumps({"do": "play", "patch": patch, "gesture": number}))
        await asyncio.sleep(1 / GESTURES_A_SECOND)
    return lags, listening.result(), time.monotonic() - began


async def session(socket: ClientConnection, patch: dict[str, Any], seconds: float, pid: int) -> None:
    """Play by script, and say how memory went from the first tenth to the last."""
    dice, began = random.Random(0), time.monotonic()
    readings: list[float] = []
    while time.monotonic() - began < seconds:
        chosen = dice.sample(BENDS, dice.randrange(3))
        patch["modules"] = [
            {
                "key": f"{name}-{time.monotonic_ns()}",
                "name": name,
                "values": values,
                "tap": f"b{dice.choice([8, 16, 32])}.conv1",
            }
            for name, values in chosen
        ]
        patch["trunc"] = dice.choice(["1", "0.7", "lfo(sine,0.3..1,3s)"])
        patch["place"]["seeds"] = [dice.randrange(1000) for _ in range(3)]
        if dice.random() < 0.2:
            await socket.send(json.dumps({"do": "roll", "num": 2, "seed": dice.randrange(1000)}))
        await socket.send(
            json.dumps({"do": "watch", "taps": dice.choice([[], ["b8.conv1", "b16.conv1", "b32.conv1"]])})
        )
        await drag(socket, patch, 2.0)
        readings.append(resident_mb(pid))
    tenth = max(len(readings) // 10, 1)
    first, last = (
        statistics.mean(readings[tenth : 2 * tenth] or readings[:1]),
        statistics.mean(readings[-tenth:]),
    )
    print(
        f"session of {seconds / 60:.1f} minutes: {first:.0f} MB near its beginning, {last:.0f} MB at its end"
    )


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    line = next(
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
