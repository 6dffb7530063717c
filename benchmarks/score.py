"""What scoring costs a training: time steps and scores in turn, in one process, and print the share of a whole run.

    python benchmarks/score.py                     the demo's settings on the embedded base and the bundled photos
    python benchmarks/score.py --rounds 3 --device cuda

A round is a whole cycle of lazy regularisation (16 steps) and the scoring of one snapshot, raw and averaged. What is
looked at once per run, home and the data, is timed separately and counted once.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from bend.bundled import sample_folder
from bend.prepare import PackageConfig, package
from bend.score import RunScorer, seeds_for
from stylegan.run_names import snapshot_name
from stylegan.training.config import TrainConfig, parse_snapshots
from stylegan.training.plan import make_plan
from stylegan.training.session import Session, open_run
from stylegan.training.stats import Collector
from stylegan.training.step import D_REG_INTERVAL, train_step

RUNS = {
    "demo, 6 kimg": (6.0, "0.25,0.5,0.75,1,1.5,2,3,4,6"),
    "log, 8 kimg": (8.0, "log"),
    "log, 32 kimg": (32.0, "log"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        times = measure(Path(folder), args.device, args.rounds)
    print(f"torch {torch.__version__}, {args.device}, {platform.machine()}, {os.cpu_count()} cores")
    print(
        f"an image trained on {times['image'] * 1000:.1f} ms; a snapshot scored {times['score32']:.2f} s with 32 seeds,"
    )
    print(f"{times['score64']:.2f} s with 64; home and data, once, {times['once']:.2f} s")
    for name, (kimg, snapshots) in RUNS.items():
        num = len(parse_snapshots(snapshots, kimg))
        seeds = seeds_for(round(kimg * 1000), num)
        scoring = times["once"] + num * (times["score32"] if seeds == 32 else times["score64"] * seeds / 64)
        share = scoring / (scoring + kimg * 1000 * times["image"])
        print(f"{name:<14s} {num:2d} snapshots, {seeds} seeds: {share:.1%} of the run")


def measure(folder: Path, device: str, rounds: int) -> dict[str, float]:
    """Seconds for an image trained on, for a scoring with 32 and with 64 seeds, and for what is done once."""
    data = folder / "photos.zip"
    package(PackageConfig(sources=(sample_folder(),), out=data, resolution=64, crop="tiles:24"))
    config = TrainConfig(
        data=str(data), base="faces64", kimg=1.0, batch=16, g_lr=0.0014, d_lr=0.0014, freeze_g=4, r1_gamma=0.5,
        pl_weight=0, style_mixing=0.5, ema_kimg=0.5, mirror=True, device=device,
    )  # fmt: skip
    session = open_run(make_plan(config), folder)
    first = session.save_snapshot(0.0)
    scorers = {
        num: RunScorer(session.run, session.plan.data, device=device, num_seeds=num) for num in (32, 64)
    }
    once = min(timed(scorer._settle) for scorer in scorers.values())
    for scorer in scorers.values():
        scorer(first, 0.0)
    images, scores = [], {32: [], 64: []}
    cycle(session, 1)
    for number in range(1, rounds + 1):
        images.append(timed(lambda: cycle(session, D_REG_INTERVAL)) / (16 * D_REG_INTERVAL))
        path = session.save_snapshot(float(number))
        assert path.name == snapshot_name(number)
        for num, scorer in scorers.items():
            scores[num].append(
                timed(lambda scorer=scorer, number=number, path=path: scorer(path, float(number)))
            )
    session.close()
    return {
        "image": statistics.median(images),
        "score32": statistics.median(scores[32]),
        "score64": statistics.median(scores[64]),
        "once": once,
    }


def cycle(session: Session, steps: int) -> None:
    """Take steps on pictures of the data set."""
    plan = session.plan
    reals = torch.stack([torch.from_numpy(plan.data.image(i)) for i in range(16)]).to(plan.device) / 127.5 - 1
    labels = torch.zeros([16, 0], device=plan.device)
    for _ in range(steps):
        train_step(
            plan.state,
            plan.hyper,
            reals,
            labels,
            labels,
            seed=0,
            micro_batch=plan.micro_batch,
            stats=Collector(),
        )


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes, including work that it left running on the device."""
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
