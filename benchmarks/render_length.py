"""What a film costs as it grows: frames a second and memory of `bend render latent-walk`, of 1,000 frames and of more.

    python benchmarks/render_length.py                       1,000 and 10,000 frames of a tiny network
    python benchmarks/render_length.py --frames 1000,100000  all the way

Each film is one command in a process of its own, start and end included; memory is the most that the process held
(`ru_maxrss`). The network is so small that what grows with a film, and not the drawing, would show.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from stylegan.checkpoint import save_network
from stylegan.generator import Generator

RESOLUTION = 32
FPS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", default="1000,10000", help="lengths, in order")
    args = parser.parse_args()
    print(f"torch {torch.__version__}, {platform.machine()}, a network of {RESOLUTION} pixels, MP4")
    print(f"{'frames':>8} {'seconds':>8} {'frames/s':>9} {'MB held':>8} {'MB film':>8}")
    before: tuple[int, float] | None = None
    with tempfile.TemporaryDirectory() as name:
        network = save_tiny(Path(name) / "tiny.safetensors")
        for num in map(int, args.frames.split(",")):
            film = Path(name) / f"{num}.mp4"
            seconds, held = measure(network, num, film)
            print(
                f"{num:8} {seconds:8.1f} {num / seconds:9.0f} {held / 1e6:8.0f} {film.stat().st_size / 1e6:8.1f}",
                flush=True,
            )
            if before is not None:
                each = (seconds - before[1]) / (num - before[0])
                print(
                    f"each frame beyond {before[0]} takes {each * 1e3:.2f} ms: 100,000 take {100_000 * each:.0f} s"
                )
            before = num, seconds


def save_tiny(path: Path) -> Path:
    """A generator of random weights."""
    torch.manual_seed(0)
    options = {"channel_base": 256, "channel_max": 16}
    G = Generator(32, 0, 32, RESOLUTION, 3, mapping_kwargs={"num_layers": 2}, synthesis_kwargs=options)
    save_network(path, G_ema=G.eval())
    return path


def measure(network: Path, num_frames: int, film: Path) -> tuple[float, int]:
    """Seconds of one command, and the bytes that it held at most."""
    command = [
        sys.executable,
        "-m",
        "bend",
        "render",
        "latent-walk",
        "--network",
        str(network),
        "-o",
        str(film),
    ]
    command += ["--seeds", "0-7", "--seconds", str(num_frames / FPS), "--fps", str(FPS), "--device", "cpu"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return time.perf_counter() - started, usage.ru_maxrss * 1024


if __name__ == "__main__":
    main()
