"""`bend finetune` behind its options: a dry run, a new training or a resumed one, and what to say at its end."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import torch

from bend.timeline import RunTimeline
from stylegan.errors import ConfigError
from stylegan.training.config import TrainConfig
from stylegan.training.loop import TrainSummary, train
from stylegan.training.run_folder import find_run
from stylegan.training.session import Plan, make_plan, open_run, resume_run
from stylegan.training.setup import sample_bytes
from stylegan.training.stats import Collector, format_duration
from stylegan.training.step import train_step

__all__ = ["Report", "Request", "run_finetune"]

_RESUMABLE = {
    "kimg",
    "snapshots",
    "snapshot_dtype",
    "device",
    "workers",
    "micro_batch",
    "save_minutes",
    "g_lr",
    "d_lr",
    "r1_gamma",
}
_PROBE_STEPS = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asked for."""

    out: Path
    """Parent of run folders."""
    resume: str | None
    """A run folder, or `latest`; None for a new run."""
    dry_run: bool
    """Only say what would run."""
    options: dict[str, Any]
    """Fields of `TrainConfig` that were given."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What to print."""

    text: str
    facts: dict[str, Any]
    stopped_by: int | None = None
    """The signal that interrupted the training, None if it ran to its end."""


def run_finetune(request: Request) -> Report:
    """Train, resume, or estimate.

    Raises:
        StyleganError: data, base or settings do not fit together, or the training diverged.
    """
    if request.resume is not None:
        foreign = sorted(request.options.keys() - _RESUMABLE)
        if foreign:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in foreign)
            raise ConfigError(f"{names}: a resumed run keeps these; leave them out, or start a new run")
        session = resume_run(find_run(request.resume, request.out), request.options)
    else:
        for name in ("data", "kimg"):
            if name not in request.options:
                raise ConfigError(f"--{name} is missing; see `bend finetune --help`")
        plan = make_plan(TrainConfig(**request.options))
        if request.dry_run:
            return _estimate(plan)
        session = open_run(plan, request.out)
    if request.dry_run:
        return _estimate(session.plan)
    return _summarize(train(session, on_snapshot=RunTimeline(str(session.plan.device))))


def _estimate(plan: Plan) -> Report:
    """Time a few steps on random pictures, and say what the whole would take."""
    state, hyper = plan.state, plan.hyper
    num = min(hyper.batch, plan.micro_batch)
    shape = [num, *plan.data.image_shape]
    reals = torch.rand(shape, device=plan.device) * 2 - 1
    labels = torch.zeros([num, plan.label_dim], device=plan.device)
    step_at, seconds = state.step, []
    for _ in range(_PROBE_STEPS):
        state.step = step_at + 1  # a step without regularisation; the share of those with it is added below
        started = time.perf_counter()
        train_step(state, hyper, reals, labels, labels, seed=0, micro_batch=num, stats=Collector())
        seconds.append(time.perf_counter() - started)
    sec_per_kimg = min(seconds) / num * 1000 * 1.25
    total_kimg = plan.total_nimg / 1000
    memory = sample_bytes(state.G, state.D) * plan.micro_batch + 7 * _weight_bytes(plan)
    facts: dict[str, Any] = {
        "device": str(plan.device),
        "num_images": len(plan.data),
        "resolution": plan.data.resolution,
        "kimg": total_kimg,
        "epochs": plan.total_nimg / len(plan.data),
        "steps": plan.total_nimg // hyper.batch,
        "batch": hyper.batch,
        "micro_batch": plan.micro_batch,
        "sec_per_kimg": sec_per_kimg,
        "seconds": sec_per_kimg * total_kimg,
        "memory_gb": memory / 2**30,
        "hyperparameters": dataclasses.asdict(hyper),
    }
    text = (
        f"would train {plan.config.base} on {plan.config.data} for {total_kimg:g} kimg "
        f"({facts['epochs']:.1f} epochs of {len(plan.data)} pictures, {facts['steps']} steps of {hyper.batch} in "
        f"parts of {plan.micro_batch}) on {plan.device}\n"
        f"about {format_duration(facts['seconds'])} and {facts['memory_gb']:.1f} GB of memory; learning rates "
        f"{hyper.g_lr:g} and {hyper.d_lr:g}, R1 {hyper.r1_gamma:.4g}, path length {hyper.pl_weight:g}, EMA half-life "
        f"{hyper.ema_kimg:g} kimg\nnothing was written"
    )
    return Report(text=text, facts=facts)


def _weight_bytes(plan: Plan) -> int:
    state = plan.state
    return sum(p.numel() * p.element_size() for network in (state.G, state.D) for p in network.parameters())


def _summarize(summary: TrainSummary) -> Report:
    facts = dataclasses.asdict(summary) | {"run": str(summary.run)}
    text = f"{summary.run}: {summary.kimg:g} kimg in {format_duration(summary.seconds)}"
    if summary.num_nonfinite:
        text += f"; {summary.num_nonfinite} gradient values were not finite and were mended"
    if summary.stopped_by is not None:
        text += f"; interrupted, go on with `bend finetune --resume {summary.run}`"
    return Report(text=text, facts=facts, stopped_by=summary.stopped_by)
