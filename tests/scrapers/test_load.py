"""Twenty thousand addresses in one scrape: memory, threads and descriptors stay where they were at a quarter."""

import asyncio
import io
import multiprocessing
import os
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scrapers.gather import gather
from scrapers.manifest import Entry
from tests.scrapers.conftest import scrape_config

NUM_URLS = 20_000
NUM_WORKERS = 8
SIDE = 64
MOST_GROWTH_MB = 25.0

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc"),
]


def test_memory_threads_and_descriptors_stay_flat(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")  # the server's memory must not count as ours
    receiver, sender = context.Pipe(duplex=False)
    server = context.Process(target=serve, args=(sender,), daemon=True)
    server.start()
    try:
        readings = scrape(tmp_path, receiver.recv())
    finally:
        server.terminate()
        server.join()
    for done in sorted(readings):
        print("{:>6} done: {:.1f} MB, {} threads, {} descriptors".format(done, *readings[done]))
    quarter, end = readings[NUM_URLS // 4], readings[NUM_URLS]
    assert end[0] <= quarter[0] + MOST_GROWTH_MB
    assert end[1] <= quarter[1]
    assert end[2] <= quarter[2] + 2 * NUM_WORKERS  # files open at this moment; a leak would be thousands


def scrape(folder: Path, port: int) -> dict[int, tuple[float, int, int]]:
    """Resident memory in MB, threads and descriptors, by number of pictures done."""
    listing = folder / "list.txt"
    listing.write_text("".join(f"http://127.0.0.1:{port}/{number}.png\n" for number in range(NUM_URLS)))
    num_seen = 0
    readings = {}

    def watch(entry: Entry) -> None:
        nonlocal num_seen
        assert entry.is_kept, entry
        num_seen += 1
        if num_seen % (NUM_URLS // 8) == 0:
            num_open = sum(1 for _ in Path("/proc/self/fd").iterdir())
            readings[num_seen] = (rss_mb(), threading.active_count(), num_open)

    config = scrape_config(
        folder / "out",
        str(listing),
        sources=("urls",),
        licenses=("unknown",),
        count=NUM_URLS,
        min_size=SIDE,
        max_distance=0,
        workers=NUM_WORKERS,
    )
    assert gather(config, watch=watch, environ={}).num_kept == NUM_URLS
    return readings


def rss_mb() -> float:
    """Resident memory of this process, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def picture(number: int) -> bytes:
    """A small PNG; any two have perceptual hashes that differ."""
    rng = np.random.default_rng(number)
    blotches = Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8))
    buffer = io.BytesIO()
    blotches.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def serve(sender: Connection) -> None:
    """Answer `/N.png` with the picture of number N, and all else with 404."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                name = head.split(b" ", 2)[1].decode().removeprefix("/").removesuffix(".png")
                body = picture(int(name)) if name.isdigit() else b""
                status = "200 OK" if body else "404 Not Found"
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=128)
        sender.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())
