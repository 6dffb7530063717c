"""Reading an official pickle against torch reading the same tensors: time and peak memory, as ratios.

An official-shaped pickle of G, D and G_ema and a `torch.save` file of their tensors are made in a temporary folder.
Each is then read in a process of its own, by `load_network` and by `torch.load(weights_only=True)`, several times in
turn; the best time counts, and the highest memory beyond what the process held before. Time is CPU time, which other
work on the machine disturbs less: both read the page cache on one thread. Wanted: at most twice the time and 1.3 times
the memory.

    python benchmarks/checkpoint.py                    a file of some 360 MB (1024 pixels)
    python benchmarks/checkpoint.py --resolution 256 --channel-base 4096 --channel-max 128   a small one
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
_READ = """
import json, resource, sys, time
import torch
from stylegan import load_network
from stylegan.checkpoint import legacy

torch.set_num_threads(1)
torch.empty(1).sum()
scale = 1 if sys.platform == "darwin" else 1024
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
started = time.process_time()
if sys.argv[1].endswith(".pkl"):
    kept = load_network(sys.argv[1])
else:
    kept = torch.load(sys.argv[1], weights_only=True)
seconds = time.process_time() - started
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale - before]))
"""


def main() -> None:
    """Print the ratios, and exit with 1 if one is above what is wanted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--resolution", type=int, default=1024)
    parser.add_argument("--channel-base", type=int, default=32768)
    parser.add_argument("--channel-max", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make_files(options.make, options)
        return
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own too: a child's peak of memory begins at its parent's.
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--make", folder], check=True)
        ours, theirs = Path(folder, "network.pkl"), Path(folder, "tensors.pt")
        print(f"{platform.machine()}, Python {platform.python_version()}, {ours.stat().st_size / 1e6:.0f} MB")
        figures = {path: [read(path) for _ in range(options.repeats)] for path in (ours, theirs)}
    seconds = {path: min(time for time, _ in runs) for path, runs in figures.items()}
    peaks = {path: max(memory for _, memory in runs) for path, runs in figures.items()}
    for path, what in ((ours, "load_network"), (theirs, "torch.load(weights_only=True)")):
        print(f"{what:32} {seconds[path]:7.3f} s {peaks[path] / 2**20:8.0f} MiB")
    time_ratio, memory_ratio = seconds[ours] / seconds[theirs], peaks[ours] / peaks[theirs]
    print(f"{'ratio (wanted: 2, 1.3)':32} {time_ratio:7.2f}   {memory_ratio:8.2f}")
    sys.exit(time_ratio > 2 or memory_ratio > 1.3)


def make_files(folder: Path, options: argparse.Namespace) -> None:
    """Write the official-shaped pickle, and a torch file of the same tensors."""
    sys.path.insert(0, str(ROOT))
    import torch

    from stylegan import Discriminator, Generator
    from tests.stylegan.checkpoint.legacy.writers import write_official

    width = {"channel_base": options.channel_base, "channel_max": options.channel_max, "num_fp16_res": 4}
    shape = {"c_dim": 0, "img_resolution": options.resolution, "img_channels": 3}
    networks = {
        "G": Generator(z_dim=512, w_dim=512, **shape, synthesis_kwargs=width),
        "D": Discriminator(**shape, **width),
        "G_ema": Generator(z_dim=512, w_dim=512, **shape, synthesis_kwargs=width),
    }
    torch.save({name: network.state_dict() for name, network in networks.items()}, folder / "tensors.pt")
    write_official(folder / "network.pkl", networks)


def read(path: Path) -> tuple[float, int]:
    """Seconds and bytes of reading a file once, in a process of its own."""
    command = [sys.executable, "-c", _READ, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    seconds, memory = json.loads(done.stdout)
    return seconds, memory


if __name__ == "__main__":
    main()
