"""How fast `bend scrape` downloads, against a plain loop and a plain thread pool, from a server 80 ms away.

    python benchmarks/scrape.py --count 5000 --workers 32

The server runs in a process of its own and answers each request after the latency. Three programs fetch from it:
requests in a loop (its rate is taken from a few hundred pictures), a ThreadPoolExecutor with a session a thread that
writes what it gets to files, and `scrapers.gather`, which also resumes, hashes, decodes, deduplicates and records.
Politeness is switched off: the host has no limit. Prints a table and the ratios; memory is the process's peak.
"""

import argparse
import asyncio
import io
import multiprocessing
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import requests
import scipy.fftpack  # noqa: F401  (imagehash imports it on first use; no contender pays for imports)
from PIL import Image

from scrapers.config import ClientConfig, ScrapeConfig
from scrapers.gather import gather
from scrapers.source import HostLimit


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=5000, help="pictures")
    parser.add_argument("--workers", type=int, default=32, help="threads")
    parser.add_argument("--latency-ms", type=float, default=80.0)
    parser.add_argument("--sequential", type=int, default=200, help="pictures of the plain loop")
    parser.add_argument(
        "--rounds", type=int, default=1, help="turns of pool and gather, of which the best counts"
    )
    options = parser.parse_args()
    receiver, sender = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.Process(
        target=serve, args=(sender, options.count, options.latency_ms / 1000), daemon=True
    )
    server.start()
    port = receiver.recv()
    rates = {"requests, one by one": _measure(_loop, port, options.sequential, 1)}
    for _ in range(options.rounds):
        for name, program in (("ThreadPoolExecutor", _pool), ("bend scrape", _gather)):
            found = _measure(program, port, options.count, options.workers)
            rates[name] = max(found, rates.get(name, found))
    server.terminate()
    print(f"{options.count} pictures, {options.workers} workers, {options.latency_ms:.0f} ms latency")
    for name, (rate, quarter_mb, peak_mb) in rates.items():
        print(
            f"  {name:<22}{rate:8.1f} pictures/s   memory {quarter_mb:5.0f} MB at a quarter, {peak_mb:5.0f} MB peak"
        )
    loop, pool, ours = (
        rates[name][0] for name in ("requests, one by one", "ThreadPoolExecutor", "bend scrape")
    )
    print(f"  {ours / loop:.1f}x the loop, {ours / pool:.2f}x the pool")


def _measure(
    program: Callable[[int, Path, int, int], None], port: int, count: int, workers: int
) -> tuple[float, float, float]:
    """Rate, and memory at a quarter of the way and at the most, of a program in a fresh process."""
    folder = Path(tempfile.mkdtemp())
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(program, port, folder, count, workers, sender))
    process.start()
    result: tuple[float, float, float] = receiver.recv()
    process.join()
    shutil.rmtree(folder)
    return result


def _run(
    program: Callable[[int, Path, int, int], None],
    port: int,
    folder: Path,
    count: int,
    workers: int,
    sender: Connection,
) -> None:
    quarter: list[float] = []

    def watch() -> None:
        while not quarter:
            if sum(1 for _ in folder.rglob("*.jpg")) >= count // 4:
                quarter.append(_peak_mb())
            time.sleep(0.5)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    began = time.perf_counter()
    program(port, folder, count, workers)
    elapsed_s = time.perf_counter() - began
    kept = sum(1 for _ in folder.rglob("*.jpg"))
    assert kept == count, f"{kept} of {count} pictures"
    sender.send((count / elapsed_s, quarter[0] if quarter else _peak_mb(), _peak_mb()))


def _loop(port: int, folder: Path, count: int, workers: int) -> None:
    with requests.Session() as session:
        for number in range(count):
            answer = session.get(f"http://127.0.0.1:{port}/{number}.jpg", timeout=30)
            (folder / f"{number}.jpg").write_bytes(answer.content)


def _pool(port: int, folder: Path, count: int, workers: int) -> None:
    mine = threading.local()

    def fetch(number: int) -> None:
        if not hasattr(mine, "session"):
            mine.session = requests.Session()
        answer = mine.session.get(f"http://127.0.0.1:{port}/{number}.jpg", timeout=30)
        answer.raise_for_status()
        (folder / f"{number}.jpg").write_bytes(answer.content)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(fetch, range(count)))


def _gather(port: int, folder: Path, count: int, workers: int) -> None:
    listing = folder.with_suffix(".txt")
    listing.write_text("".join(f"http://127.0.0.1:{port}/{number}.jpg\n" for number in range(count)))
    limit = HostLimit(per_second=1e9, burst=1_000_000, concurrency=workers)
    config = ScrapeConfig(
        queries=(str(listing),),
        out=folder / "out",
        sources=("urls",),
        licenses=("unknown",),
        count=count,
        min_size=64,
        max_distance=0,
        workers=workers,
        client=ClientConfig(allow_private_hosts=True, default_limit=limit),
    )
    summary = gather(config, environ={})
    listing.unlink()
    assert summary.num_kept == count, summary.lines()


def serve(sender: Connection, count: int, latency_s: float) -> None:
    """A server of `count` different pictures, each 256 pixels and about 10 kB."""
    bodies = [_picture(number) for number in range(count)]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(latency_s)
                name = head.split(b" ", 2)[1].decode().removeprefix("/").removesuffix(".jpg")
                if name.isdigit():
                    body = bodies[int(name)]
                    start = f'HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nETag: "{name}"\r\n\r\n'
                    writer.write(start.encode() + body)
                else:
                    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def listen() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=512)
        sender.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(listen())


def _picture(number: int) -> bytes:
    rng = np.random.default_rng(number)
    blotches = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    blotches.resize((256, 256), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
