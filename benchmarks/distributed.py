"""What a second process brings a training on CPUs, and what the processes say to each other.

    python benchmarks/distributed.py                    the embedded base at batch 16, 1 -> 2 processes of one thread
    python benchmarks/distributed.py --threads 4 --batch 32

One launch of two processes, which take turns at 16 steps (every phase, path length four times, R1 once): the first one
alone with one share of the threads, the first one alone with all threads, both together. The median of the rounds
counts. Volume is what a process hands to exchanges a step; a ring passes 2 (N - 1) / N of it over each link.
"""

import argparse
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from stylegan.archive import ArchiveWriter
from stylegan.distributed import ALONE, Team, is_launched, join
from stylegan.training.config import TrainConfig
from stylegan.training.deal import deal
from stylegan.training.plan import Plan, make_plan
from stylegan.training.readiness import make_ready
from stylegan.training.stats import Collector
from stylegan.training.step import D_REG_INTERVAL, train_step

RESOLUTION = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1, help="of a process")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if is_launched():
        measure(args)
        return
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    said = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "bench",
    }
    said["OMP_NUM_THREADS"] = str(args.threads)
    processes = [  # as torchrun would start them, but in this session, whose priority they keep
        subprocess.Popen([sys.executable, *sys.argv], env={**os.environ, **said, "RANK": str(rank)})
        for rank in range(2)
    ]
    sys.exit(max(process.wait() for process in processes))


def measure(args: argparse.Namespace) -> None:
    """Take turns, and print a table."""
    with join("cpu") as team:
        plan = noise_plan(args.batch)
        with team.first_goes_first():
            make_ready(plan.device)
        rows: dict[str, list[float]] = {"1 process": [], "1 process, all threads": [], "2 processes": []}
        volume = exchanges = 0
        take_steps(plan, team, num=1)
        for _ in range(args.rounds):
            for who, seconds in rows.items():
                torch.set_num_threads(2 * args.threads if "all" in who else args.threads)
                team.wait()
                before = team.num_bytes, team.num_exchanges
                started = time.perf_counter()
                if who == "2 processes":
                    take_steps(plan, team)
                    volume, exchanges = team.num_bytes - before[0], team.num_exchanges - before[1]
                elif team.is_first:
                    take_steps(plan, ALONE)
                seconds.append(time.perf_counter() - started)
        if team.is_first:
            print_table(args, plan, rows, volume, exchanges)


def take_steps(plan: Plan, team: Team, num: int = D_REG_INTERVAL) -> None:
    """A cycle of steps on noise, from the one that has all phases."""
    share = deal(plan.state.D, plan.hyper.batch, team.rank, team.size)
    reals = torch.rand([len(share), *plan.data.image_shape]) * 2 - 1
    labels = torch.zeros([len(share), 0])
    plan.state.step = 0
    for _ in range(num):
        stats = Collector()
        train_step(
            plan.state,
            plan.hyper,
            reals,
            labels,
            labels,
            seed=0,
            micro_batch=len(share),
            stats=stats,
            team=team,
        )
        stats.sum_over(team)
        team.largest(0)  # as the loop asks whether to stop


def noise_plan(batch: int) -> Plan:
    """A training of the embedded base on one picture of noise."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.zip"
        with ArchiveWriter(path) as archive:
            archive.add(np.random.default_rng(0).integers(0, 256, [RESOLUTION, RESOLUTION, 3], np.uint8))
        return make_plan(TrainConfig(data=str(path), kimg=1, batch=batch, aug_p=0.5, device="cpu"))


def print_table(
    args: argparse.Namespace, plan: Plan, rows: dict[str, list[float]], volume: int, exchanges: int
) -> None:
    """Seconds a step and the ratio to one process."""
    sizes = {
        name: sum(p.numel() for group in optimizer.param_groups for p in group["params"])
        for name, optimizer in (("G", plan.state.G_opt), ("D", plan.state.D_opt))
    }
    print(
        f"torch {torch.__version__}, {platform.machine()}, faces64, batch {args.batch}, "
        f"threads a process: {args.threads}; weights: G {sizes['G'] / 1e6:.2f} M, D {sizes['D'] / 1e6:.2f} M"
    )
    print(f"{'who':24} s/step   ratio")
    alone = statistics.median(rows["1 process"])
    for who, seconds in rows.items():
        median = statistics.median(seconds)
        print(f"{who:24} {median / D_REG_INTERVAL:6.3f}  {alone / median:6.2f}")
    print(
        f"a step hands on {volume / D_REG_INTERVAL / 1e6:.2f} MB in {exchanges / D_REG_INTERVAL:.1f} exchanges"
    )


if __name__ == "__main__":
    main()
