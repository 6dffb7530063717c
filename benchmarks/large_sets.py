"""What data sets of a thousand to a million pictures take to open and to read: one zip, ten zips, ten tars.

    python benchmarks/large_sets.py                       1k, 10k, 100k and 1M pictures in each form
    python benchmarks/large_sets.py --counts 1000 --forms zip

Pictures are 8×8 and labelled, so that lists count and pixels do not. Each set is opened in a process of its own, with
the cache of tars' indexes empty and then filled. `memory` is what opening added to the peak memory of the process,
`held` what the arrays of the index take; `first` is the time from asking for the first batch of 32 to having it, the
order's permutation included, and the rate is that of 5,000 pictures through `BatchStream` with two threads.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from stylegan.archive import encode_png

FORMS = ("zip", "zips", "tars", "gz")
NUM_SHARDS = 10
NUM_READ = 5_000
BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", default="1000,10000,100000,1000000")
    parser.add_argument("--forms", default="zip,zips,tars", help=f"by commas, of {', '.join(FORMS)}")
    parser.add_argument(
        "--folder", type=Path, help="where the sets are made, and kept; else a temporary folder"
    )
    parser.add_argument("--one", metavar="SET", help="measure this one here, and print JSON")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        print("pictures   form   index   open s   CPU s   memory MB   held B/picture   first ms   pictures/s")
        for count in map(int, args.counts.split(",")):
            for form in args.forms.split(","):
                report(make(folder, form, count), form, count, folder)


def report(text: str, form: str, count: int, folder: Path) -> None:
    """Measure a set with an empty cache and, where there is one, with a filled one."""
    cache = folder / f"cache-{form}-{count}"
    for index in ("new", "kept") if form in ("tars", "gz") else ("new",):
        found = subprocess.run(
            [sys.executable, __file__, "--one", text],
            check=True,
            stdout=subprocess.PIPE,
            env=os.environ | {"BEND_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        )
        row = json.loads(found.stdout)
        print(
            f"{count:8,}   {form:<4}   {index:<5} {row['open']:8.2f} {row['cpu']:7.2f} {row['memory'] / 1e6:11.1f} "
            f"{row['held'] / count:16.1f} {row['first'] * 1000:10.1f} {row['rate']:12,.0f}",
            flush=True,
        )


def measure(text: str) -> dict[str, float]:
    """Open the set `text` and read from it."""
    from stylegan.archive import open_dataset
    from stylegan.training.data import BatchStream

    encode_png(np.zeros((8, 8, 3), np.uint8))
    before, started, cpu = peak_bytes(), time.perf_counter(), time.process_time()
    data = open_dataset(text)
    opened, cpu = time.perf_counter() - started, time.process_time() - cpu
    memory = peak_bytes() - before
    started = time.perf_counter()
    stream = BatchStream(data, batch=BATCH, position=0, seed=0, workers=2)
    stream.next()
    first = time.perf_counter() - started
    started = time.perf_counter()
    for _ in range(NUM_READ // BATCH):
        stream.next()
    rate = NUM_READ // BATCH * BATCH / (time.perf_counter() - started)
    stream.close()
    return {
        "open": opened,
        "cpu": cpu,
        "memory": memory,
        "held": held_bytes(data),
        "first": first,
        "rate": rate,
    }


def held_bytes(value: object, seen: set[int] | None = None) -> int:
    """Bytes of all arrays and texts that an object refers to."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, tuple | list):
        return sum(held_bytes(one, seen) for one in value)
    fields = [getattr(value, name, None) for name in getattr(type(value), "__slots__", ())]
    return sum(held_bytes(one, seen) for one in [*fields, *getattr(value, "__dict__", {}).values()])


def make(folder: Path, form: str, count: int) -> str:
    """A set of `count` pictures, and how it is named."""
    rng = np.random.default_rng(0)
    pictures = [encode_png(rng.integers(0, 256, [8, 8, 3], dtype=np.uint8)) for _ in range(100)]
    home = folder / f"{form}-{count}"
    if home.exists():
        return str(home / "rocks.zip" if form == "zip" else home)
    home.mkdir(parents=True)
    if form == "zip":
        make_zip(home / "rocks.zip", pictures, range(count))
        return str(home / "rocks.zip")
    ending = {"zips": ".zip", "tars": ".tar", "gz": ".tar.gz"}[form]
    first = home / f"rocks-00000{ending}"
    (make_zip if form == "zips" else make_tar)(first, pictures, range(count // NUM_SHARDS))
    for shard in range(1, NUM_SHARDS):  # copies serve as well as others
        shutil.copy(first, home / f"rocks-{shard:05d}{ending}")
    return str(home)


def make_zip(path: Path, pictures: list[bytes], numbers: range) -> None:
    """A labelled data-set zip."""
    names = [f"{i // 1000:05d}/img{i:08d}.png" for i in numbers]
    with zipfile.ZipFile(path, "w") as archive:
        for i, name in zip(numbers, names, strict=True):
            archive.writestr(zipfile.ZipInfo(name), pictures[i % len(pictures)])
        labels = [[name, i % 10] for i, name in zip(numbers, names, strict=True)]
        archive.writestr("dataset.json", json.dumps({"labels": labels}))


def make_tar(path: Path, pictures: list[bytes], numbers: range) -> None:
    """A WebDataset shard with classes."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w", format=tarfile.USTAR_FORMAT) as archive:
        for i in numbers:
            for ending, data in (("png", pictures[i % len(pictures)]), ("cls", str(i % 10).encode())):
                info = tarfile.TarInfo(f"{i:09d}.{ending}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
            archive.members = []  # type: ignore[attr-defined] # it would keep a million of them


def peak_bytes() -> int:
    """The most memory that this process has held; `getrusage` may still report that of the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()  # Linux
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


if __name__ == "__main__":
    main()
