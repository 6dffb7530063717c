"""What a second process gains a training on CPUs, how much the processes exchange, and what follows for many of them.

    python benchmarks/distributed.py                    the embedded base at batch 16, 1 -> 2 processes of one thread
    python benchmarks/distributed.py --threads 4 --batch 32

One launch of two processes, which take turns at 16 steps (every phase, path length four times, R1 once): the first one
alone with one share of the threads, the first one alone with all threads, both together. The median of the rounds
counts. Volume is what a process hands over for exchange in a step; a ring passes 2 (N - 1) / N of it over each link.
The table of up to 64 GPUs follows from volume and exchanges, and from assumptions that it states; it is not a
measurement.

    python benchmarks/distributed.py --predict 226 --exchanges 6.6 --gpu-ms 12    the table alone, of another network
"""

import argparse
import dataclasses
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
from stylegan.distributed import ALONE, Team, join
from stylegan.launch import is_launched
from stylegan.training.config import TrainConfig
from stylegan.training.deal import deal
from stylegan.training.plan import Plan, make_plan
from stylegan.training.readiness import prepare_training
from stylegan.training.stats import Collector
from stylegan.training.step import D_REG_INTERVAL, train_step

RESOLUTION = 64


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a ring of GPUs is assumed to get out of a connection."""

    bytes_s: float
    latency_s: float


# Assumptions, not measurements: of the 450 GB/s a direction of an H100 or H200 on NVLink, and of the 50 GB/s of a
# 400 Gbit/s InfiniBand port a GPU, rings are taken to get four fifths.
NVLINK = Link(bytes_s=360e9, latency_s=5e-6)
NETWORK = Link(bytes_s=40e9, latency_s=20e-6)
GPUS_A_HOST = 8
# Adam, averages, launches of kernels: what a step takes however small its share of the batch is.
FIXED_S = 0.010


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1, help="of a process")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--predict", type=float, metavar="MB", help="only the table, for so many MB a step")
    parser.add_argument("--exchanges", type=float, default=6.6, help="with --predict: exchanges a step")
    parser.add_argument(
        "--gpu-ms", type=float, default=12.0, help="assumed: milliseconds a picture on one GPU"
    )
    args = parser.parse_args()
    if args.predict is not None:
        print_prediction(args.predict * 1e6, args.exchanges, args.gpu_ms)
        return
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
        subprocess.Popen(
            [sys.executable, *sys.argv],
            env={**os.environ, **said, "RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "2"},
        )
        for rank in range(2)
    ]
    sys.exit(max(process.wait() for process in processes))


def measure(args: argparse.Namespace) -> None:
    """Take turns, and print a table."""
    with join("cpu") as team:
        plan = noise_plan(args.batch)
        with team.one_a_host_first():
            prepare_training(plan.device)
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
    print_prediction(volume / D_REG_INTERVAL, exchanges / D_REG_INTERVAL, args.gpu_ms)


def print_prediction(num_bytes: float, exchanges: float, gpu_ms: float) -> None:
    """Steps on up to 64 GPUs: seconds, and the ratio to one GPU, for a fixed batch and for one that grows."""
    print(
        f"\npredicted, not measured: {num_bytes / 1e6:.1f} MB in {exchanges:.1f} exchanges a step, {gpu_ms:g} ms a "
        f"picture, {FIXED_S * 1e3:g} ms a step that no GPU saves the others;"
    )
    print(
        f"within a host {NVLINK.bytes_s / 1e9:g} GB/s and {NVLINK.latency_s * 1e6:g} us a hop, between hosts of "
        f"{GPUS_A_HOST} {NETWORK.bytes_s / 1e9:g} GB/s and {NETWORK.latency_s * 1e6:g} us"
    )
    print("GPUs  sent ms   batch 256: ms/step  ratio    32 a GPU: ms/step  ratio")
    for size in (1, 2, 4, 8, 16, 32, 64):
        sent = exchange_seconds(num_bytes, exchanges, size)
        fixed, growing = (pictures * gpu_ms / 1e3 + FIXED_S + sent for pictures in (256 / size, 32))
        ratios = (256 * gpu_ms / 1e3 + FIXED_S) / fixed, size * (32 * gpu_ms / 1e3 + FIXED_S) / growing
        print(
            f"{size:4} {sent * 1e3:8.2f} {fixed * 1e3:19.1f} {ratios[0]:6.1f} {growing * 1e3:20.1f} {ratios[1]:6.1f}"
        )


def exchange_seconds(num_bytes: float, exchanges: float, size: int) -> float:
    """Time a step spends in rings of `size` GPUs: each hop costs its latency, the slowest link its share of the bytes.

    t = exchanges · 2 (N - 1) · latency + 2 (N - 1) / N · bytes / bandwidth, and nothing of it beside the computing.
    """
    if size == 1:
        return 0.0
    link = NVLINK if size <= GPUS_A_HOST else NETWORK
    return exchanges * 2 * (size - 1) * link.latency_s + 2 * (size - 1) / size * num_bytes / link.bytes_s


if __name__ == "__main__":
    main()
