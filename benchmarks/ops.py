"""What the native operations gain over the plain ones, and how near they come to a mere copy of the same bytes.

    python benchmarks/ops.py                    the CPU, or CUDA where there is a device
    python benchmarks/ops.py --dtype bfloat16

Plain and native take turns in one run and the least time of each counts; `bend ops bench` measures the same. Freed
memory is kept for reuse, as in training and rendering.
"""

import argparse
import os
import platform
import statistics
import subprocess
from pathlib import Path

import torch

from bend.op_timing import Timing, measure, table
from stylegan.ops import native
from stylegan.ops.build import build
from stylegan.ops.toolchain import TARGETS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=sorted(TARGETS)
    )
    parser.add_argument("--dtype", default="float32,float16", help="comma-separated names of torch's")
    args = parser.parse_args()
    native.use(TARGETS[args.device], build(TARGETS[args.device]))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    print(
        f"# {platform.machine()}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    )
    print(
        f"# torch {torch.__version__}, commit {commit.stdout.strip() or 'unknown'}, load {os.getloadavg()[0]:.1f}"
    )
    print(f"# python benchmarks/ops.py --device {args.device} --dtype {args.dtype}")
    seen: list[Timing] = []
    dtypes = tuple(getattr(torch, name) for name in args.dtype.split(","))
    for line in table(timing for timing in measure(args.device, dtypes) if seen.append(timing) is None):
        print(line, flush=True)
    for dtype in args.dtype.split(","):
        ratios = [timing.ratio for timing in seen if timing.dtype == dtype]
        mean = statistics.geometric_mean(ratios)
        print(f"{dtype}: native / plain, geometric mean {mean:.1f}x, least {min(ratios):.1f}x")


if __name__ == "__main__":
    main()
