"""What a training step takes: time per thousand images, and memory against the estimate of `bend finetune --dry-run`.

    python benchmarks/train_memory.py                              a few shapes on the CPU
    python benchmarks/train_memory.py --device cuda --shapes 64:16384:512:32,256:16384:512:8

A shape is resolution:channel_base:channel_max:micro_batch. Each is measured in a process of its own, which trains a
network from scratch on noise with augmentation at p = 0.5: steps without regularisation, with path length, and with
R1, whose times are weighted as in training. On the CPU memory is what the process held at its highest, Python and
torch included; on CUDA it is what tensors took. The estimate is one figure a feature (`_BYTES_PER_FEATURE` in
`stylegan.training.memory`); `fitted` is the figure that would have met the measurement.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from stylegan.archive import write_archive
from stylegan.training import memory
from stylegan.training.config import TrainConfig
from stylegan.training.plan import Plan, make_plan
from stylegan.training.stats import Collector
from stylegan.training.step import D_REG_INTERVAL, G_REG_INTERVAL, train_step

SHAPES = "32:2048:128:16,64:2048:128:4,64:2048:128:16,128:4096:64:8"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--shapes", default=SHAPES)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--steps", type=int, default=2, help="of each kind; the best counts")
    parser.add_argument("--one", action="store_true", help="measure the one shape here, and print JSON")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.shapes, args.device, args.precision, args.steps)))
        return
    name = torch.cuda.get_device_name() if args.device.startswith("cuda") else platform.machine()
    print(
        f"torch {torch.__version__}, {args.device} ({name}), {torch.get_num_threads()} threads, {args.precision}"
    )
    print("shape                   s/kimg   plain  +path    +R1   measured  estimate  ratio  fitted")
    for shape in args.shapes.split(","):
        command = [sys.executable, __file__, "--one", "--shapes", shape, "--device", args.device]
        command += ["--precision", args.precision, "--steps", str(args.steps)]
        row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        print(
            f"{shape:<22s} {row['sec_per_kimg']:7.1f} {row['plain']:7.1f} {row['path']:6.1f} {row['r1']:6.1f} "
            f"{row['measured'] / 1e6:7.0f} MB {row['estimate'] / 1e6:6.0f} MB "
            f"{row['estimate'] / row['measured']:6.2f} {row['fitted']:6.0f}"
        )


def measure(shape: str, device: str, precision: str, num_steps: int) -> dict[str, float]:
    """Time in seconds a kimg, and memory in bytes, of one shape."""
    plan = plan_of(*map(int, shape.split(":")), device=device, precision=precision)
    count = plan.micro_batch
    reals = torch.rand([count, *plan.data.image_shape], device=plan.device) * 2 - 1
    labels = torch.zeros([count, 0], device=plan.device)

    def seconds(step: int) -> float:
        plan.state.step = step
        started = time.perf_counter()
        got = train_step(
            plan.state, plan.hyper, reals, labels, labels, seed=0, micro_batch=count, stats=Collector()
        )
        if plan.device.type == "cuda":
            torch.cuda.synchronize()
        assert got == count, "out of memory: choose a smaller micro-batch"
        return (time.perf_counter() - started) / count * 1000

    for step in (0, 1, G_REG_INTERVAL):
        seconds(step)  # sets up Adam and the libraries
    plain = min(seconds(1) for _ in range(num_steps))
    path = max(min(seconds(G_REG_INTERVAL) for _ in range(num_steps)) - plain, 0)
    r1 = max(min(seconds(D_REG_INTERVAL) for _ in range(num_steps)) - plain - path, 0)
    measured, estimate = peak_bytes(plan.device), memory.step_bytes(plan.state, count)
    per_sample = memory.sample_bytes(plan.state.G, plan.state.D)
    fixed = estimate - per_sample * count
    return {
        "sec_per_kimg": plain + path / G_REG_INTERVAL + r1 / D_REG_INTERVAL,
        "plain": plain,
        "path": path,
        "r1": r1,
        "measured": measured,
        "estimate": estimate,
        "fitted": (measured - fixed) / count / per_sample * memory._BYTES_PER_FEATURE,
    }


def plan_of(
    resolution: int,
    channel_base: int,
    channel_max: int,
    micro_batch: int,
    *,
    device: str,
    precision: str,
    base: str = "none",
) -> Plan:
    """A training on noise, from scratch or from a base, whose shape then counts."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.zip"
        write_archive(
            path, [rng.integers(0, 256, [resolution, resolution, 3], dtype=np.uint8) for _ in range(2)]
        )
        return make_plan(
            TrainConfig(
                data=str(path),
                kimg=1,
                base=base,
                batch=micro_batch,
                micro_batch=micro_batch,
                aug_p=0.5,
                channel_base=channel_base,
                channel_max=channel_max,
                device=device,
                precision=precision,
            )
        )


def peak_bytes(device: torch.device) -> int:
    """The most memory taken so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
