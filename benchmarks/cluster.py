"""What a Ray cluster of one machine costs: `bend scrape` and `bend package` as pictures and workers grow.

    python benchmarks/cluster.py --counts 1000,5000

A server in a process of its own answers each request after a latency, without a limit. The same pictures are scraped
by threads of one process, then by clusters of one and of two workers, each with the same number of downloads at a time;
the folder is packaged by one and by two processes, then by the same clusters. Joining is timed separately. The bytes of
zips and manifests are compared. What a shard costs is measured with shards of one picture, against one of them all.
"""

import argparse
import hashlib
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ray
from scrape import serve  # the benchmark beside this one

from bend.cluster.connection import Cluster, joined
from bend.cluster.fetching import Fetching
from bend.cluster.preparing import package_on
from bend.prepare import PackageConfig, package
from scrapers.config import ClientConfig, ScrapeConfig
from scrapers.crew import Engine
from scrapers.gather import gather
from scrapers.source import HostLimit


def main() -> None:
    """Parse, serve, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", default="1000", help="pictures, by commas")
    parser.add_argument("--downloads", type=int, default=16, help="at the same time, over all workers")
    parser.add_argument("--latency-ms", type=float, default=80.0)
    parser.add_argument("--single", type=int, default=40, help="shards of one picture")
    options = parser.parse_args()
    counts = [int(text) for text in options.counts.split(",")]
    print(f"# {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"# Python {platform.python_version()}, Ray {ray.__version__}")
    print(f"# python benchmarks/cluster.py {' '.join(sys.argv[1:])}")
    receiver, sender = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.Process(
        target=serve, args=(sender, max(counts), options.latency_ms / 1000), daemon=True
    )
    server.start()
    port = receiver.recv()
    with tempfile.TemporaryDirectory() as name:
        for count in counts:
            measure(Path(name) / str(count), port, count, options)
    server.terminate()


def measure(folder: Path, port: int, count: int, options: argparse.Namespace) -> None:
    """Scrape and package `count` pictures in every way, and print the rates."""
    folder.mkdir()
    listing = folder / "list.txt"
    listing.write_text("".join(f"http://127.0.0.1:{port}/{number}.jpg\n" for number in range(count)))
    scraped, packed = set(), set()

    def scrape(name: str, downloads: int, engine: Engine | None) -> None:
        config = scrape_config(listing, folder / name, count, downloads, options.downloads)
        seconds = timed(lambda: gather(config, environ={}, engine=engine))
        print(f"{count:6}  scrape   {name:<12}{count / seconds:8.1f} pictures/s  {seconds:7.1f} s")
        scraped.add(hashlib.sha256((folder / name / "manifest.jsonl").read_bytes()).hexdigest())

    def pack(name: str, work: Callable[[PackageConfig], object], workers: int) -> None:
        config = PackageConfig(
            sources=(folder / "threads",), out=folder / f"{name}.zip", resolution=128, workers=workers
        )
        seconds = timed(lambda: work(config))
        print(f"{count:6}  package  {name:<12}{count / seconds:8.1f} pictures/s  {seconds:7.1f} s")
        packed.add(hashlib.sha256(config.out.read_bytes()).hexdigest())
        config.out.unlink()

    scrape("threads", options.downloads, None)
    for workers in (1, 2):
        pack(f"local-{workers}", package, workers)
    for workers in (1, 2):
        began = time.perf_counter()
        with joined(None, num_cpus=workers) as cluster:
            joining_s = time.perf_counter() - began
            scrape(f"ray-{workers}", options.downloads // workers, Fetching(cluster, print))
            pack(f"ray-{workers}", lambda config: package_on(cluster, config, print), workers)
            print(f"{count:6}  joining  ray-{workers}       {joining_s:7.1f} s")
            if workers == 1 and options.single:
                single_shards(folder, cluster, options.single)
    assert len(scraped) == len(packed) == 1, "manifests or zips differ"


def single_shards(folder: Path, cluster: Cluster, count: int) -> None:
    """Print what a shard costs beyond its pictures."""
    pictures = sorted((folder / "threads").glob("*.jpg"))[:count]

    def work(size: int) -> float:
        config = PackageConfig(
            sources=tuple(pictures), out=folder / "single.zip", resolution=128, workers=1, force=True
        )
        return timed(lambda: package_on(cluster, config, print, shard_size=size))

    seconds = {size: min(work(size) for _ in range(2)) for size in (count, 1)}  # the first warms up
    print(f"a shard costs {1000 * (seconds[1] - seconds[count]) / (count - 1):.1f} ms beyond its pictures")


def scrape_config(listing: Path, out: Path, count: int, downloads: int, limit: int) -> ScrapeConfig:
    """A scrape without politeness except for the limit on downloads at a time."""
    host = HostLimit(per_second=1e9, burst=1_000_000, concurrency=limit)
    return ScrapeConfig(
        queries=(str(listing),),
        out=out,
        sources=("urls",),
        licenses=("unknown",),
        count=count,
        min_size=64,
        max_distance=0,
        workers=downloads,
        client=ClientConfig(allow_private_hosts=True, default_limit=host),
    )


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
