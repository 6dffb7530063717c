"""The work of `bend finetune`: a dry run, a new training or a resumed one, and its report."""

import contextlib
import dataclasses
import os
import shlex
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from bend.ranks import is_first
from bend.training.remote import Place, fetched, fetched_inputs, mirrored
from bend.training.watch import train_watched
from stylegan.distributed import Team, join
from stylegan.errors import ConfigError, TrainingError
from stylegan.run_names import snapshot_name
from stylegan.training.config import TrainConfig, read_config
from stylegan.training.loop import TrainSummary
from stylegan.training.memory import step_bytes
from stylegan.training.plan import Plan, make_plan, plan_resume
from stylegan.training.run_folder import (
    find_elsewhere,
    find_launched,
    find_run,
    forget_elsewhere,
    mark_elsewhere,
)
from stylegan.training.session import Session, open_run, resume_run
from stylegan.training.stats import Collector, format_duration
from stylegan.training.step import D_REG_INTERVAL, G_REG_INTERVAL, train_step

__all__ = ["Report", "Request", "run_finetune"]

_RESUMABLE = {
    "data",
    "kimg",
    "snapshots",
    "snapshot_dtype",
    "snapshot_format",
    "until",
    "keep",
    "no_score",
    "device",
    "workers",
    "micro_batch",
    "save_minutes",
    "g_lr",
    "d_lr",
    "r1_gamma",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asked for."""

    out: Path | str
    """Parent of run folders; an address on a store is a text."""
    resume: str | None
    """A run folder, its address, or `latest`; None for a new run."""
    dry_run: bool
    """Only say what would run."""
    options: dict[str, Any]
    """Fields of `TrainConfig` that were given; `data` and `kimg` among them for a new run."""


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
        StoreError: a store has no such thing, or refuses.
        OSError: a file cannot be read or written.
    """
    place = None
    if is_first():
        options, out, resume, place = fetched(request.options, request.out, request.resume)
        request = dataclasses.replace(request, options=options, out=out, resume=resume)
        given = _config(request)
    else:  # the first process reads what a resumed run recorded, and says it below
        request = dataclasses.replace(request, options=fetched_inputs(request.options))
        given = None
    with join(None if given is None else given.device) as team:
        config = team.first_says(given)
        assert config is not None
        request = dataclasses.replace(request, out=Path(team.first_says(request.out)))
        data = team.first_says(None if place is None else place.data)
        if not team.is_first:  # every other host needs a copy of its own
            fetched_inputs({"data": data})
        run = team.first_says(_run_to_resume(request, config, team) if team.is_first else None)
        if run is None:
            _refuse_elsewhere(request, team)
            plan = _bent(make_plan(config, team))
            if request.dry_run:
                return _estimate(plan)
            return _train(open_run(plan, Path(request.out)), request, place)
        if request.dry_run:
            return _estimate(_bent(plan_resume(run, request.options, team)[0]))
        session = resume_run(run, {} if request.resume is None else request.options, team)
        _bent(session.plan)
        return _train(session, request, place)


def _config(request: Request) -> TrainConfig:
    if request.resume is None:
        return TrainConfig(**request.options)
    _refuse_foreign(request.options)
    return dataclasses.replace(read_config(find_run(request.resume, Path(request.out))), **request.options)


def _run_to_resume(request: Request, config: TrainConfig, team: Team) -> Path | None:
    """The run asked for, or the one that these processes began before torchrun restarted them; None for a new run."""
    begun = None if request.dry_run else find_launched(Path(request.out), team.launch)
    if request.resume == "latest" and begun is not None:
        return begun
    if request.resume is not None:
        return find_run(request.resume, Path(request.out))
    if begun is None or read_config(begun) != config:
        return None
    assert team.launch is not None
    is_done = (begun / snapshot_name(round(config.kimg, 3))).exists()
    # A launch that is not a restart may only share its id with the one that finished this run.
    return begun if team.launch.num_restarts or not is_done else None


def _refuse_elsewhere(request: Request, team: Team) -> None:
    """Refuse to start again where this launch has a training on a host that is no longer the first.

    Raises:
        TrainingError: there is such a host.
    """
    has_own = find_launched(Path(request.out), team.launch) is not None  # of other options, or done
    if request.dry_run or team.first_says(has_own):
        return
    found = [place for place in team.all_say(find_elsewhere(Path(request.out), team.launch)) if place]
    if found:
        raise TrainingError(
            f"{found[0]}: this launch has begun its training there, and another host is the first now; start torchrun "
            "there again, share the folder among the hosts, or give another --rdzv-id"
        )


def _refuse_foreign(options: dict[str, Any]) -> None:
    if foreign := sorted(options.keys() - _RESUMABLE):
        names = ", ".join(f"--{name.replace('_', '-')}" for name in foreign)
        raise ConfigError(f"{names}: a resumed run keeps what it began with; leave out, or start a new run")


def _bent(plan: Plan) -> Plan:
    """The plan, its generator and the average of that bent for good."""
    if not plan.config.bend:
        return plan
    from bend.bends import open_bends

    for G in (plan.state.G, plan.state.G_ema):
        open_bends(plan.config.bend, G).stay(G)
    words = " ".join(f"--bend {shlex.quote(bend)}" for bend in plan.config.bend)
    plan.notes.append(f"bent throughout; to see what it has learned, render with {words}")
    return plan


def _estimate(plan: Plan) -> Report:
    """Time a few steps on random pictures, and say how long the rest of the training would take."""
    state, hyper, num_images = plan.state, plan.hyper, len(plan.data)
    num_left = max(plan.total_nimg - state.cur_nimg, 0)
    memory, moments = step_bytes(state, plan.micro_batch), plan.moments_left()
    sec_per_kimg = _seconds_per_image(plan) * 1000 / plan.team.size  # without the time to exchange gradients
    facts: dict[str, Any] = {
        "device": str(plan.device),
        "num_images": num_images,
        "resolution": plan.data.resolution,
        "kimg": plan.total_nimg / 1000,
        "kimg_left": num_left / 1000,
        "epochs": plan.total_nimg / num_images,
        "steps": num_left // hyper.batch,
        "batch": hyper.batch,
        "micro_batch": plan.micro_batch,
        "snapshots": moments,
        "sec_per_kimg": sec_per_kimg,
        "seconds": sec_per_kimg * num_left / 1000,
        "memory_gb": memory / 2**30,
        "hyperparameters": dataclasses.asdict(hyper),
        "notes": plan.notes,
    }
    lines = [
        f"would train {plan.config.base} on {plan.config.data} for {num_left / 1000:g} kimg "
        f"({num_left / num_images:.1f} epochs of {num_images} pictures, {facts['steps']} steps of {hyper.batch} in "
        f"parts of {plan.micro_batch}) on {plan.device}",
        f"about {format_duration(facts['seconds'])} and {facts['memory_gb']:.2g} GB of memory; learning rates "
        f"{hyper.g_lr:g} and {hyper.d_lr:g}, R1 {hyper.r1_gamma:.4g}, path length {hyper.pl_weight:g}, EMA half-life "
        f"{hyper.ema_kimg:g} kimg",
        *plan.notes,
        "nothing was written",
    ]
    return Report(text="\n".join(lines), facts=facts)


def _seconds_per_image(plan: Plan) -> float:
    """Time steps with and without each regularisation, weighted as in a training. Changes the state for good."""
    num = plan.micro_batch
    reals = torch.rand([num, *plan.data.image_shape], device=plan.device) * 2 - 1
    labels = torch.zeros([num, plan.label_dim], device=plan.device)

    def seconds(step: int) -> float:
        plan.state.step = step
        started = time.perf_counter()
        train_step(plan.state, plan.hyper, reals, labels, labels, seed=0, micro_batch=num, stats=Collector())
        if plan.device.type == "cuda":
            torch.cuda.synchronize(plan.device)
        return time.perf_counter() - started

    seconds(0)  # the first step of each kind also pays for setting up
    plain = min(seconds(1), seconds(2))
    with_path_length = max(seconds(G_REG_INTERVAL), plain)
    with_both = max(seconds(D_REG_INTERVAL), with_path_length)
    path_length, r1 = with_path_length - plain, with_both - with_path_length
    return (plain + path_length / G_REG_INTERVAL + r1 / D_REG_INTERVAL) / num


def _train(session: Session, request: Request, place: Place | None) -> Report:
    """Train: the first process scores and draws the snapshots, and mirrors the run where it lies on a store."""
    team, out = session.plan.team, Path(request.out)
    with mirrored(session, place) as on_save:
        is_elsewhere = _note_elsewhere(session.run, out, team)
        with _way_on_told(session.run):
            summary = train_watched(session, on_save)
        if is_elsewhere and summary.stopped_by is None:
            forget_elsewhere(out)
    return _summarize(summary)


@contextlib.contextmanager
def _way_on_told(run: Path) -> Iterator[None]:
    """Have an error of the system say that the training is not to be begun anew.

    Raises:
        TrainingError: in its place.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise TrainingError(
            f"{error.filename or run}: {os.strerror(error.errno)}; what was saved is intact, mend that and continue "
            f"with `bend finetune --resume {shlex.quote(str(run))}`"
        ) from error


def _note_elsewhere(run: Path, out: Path, team: Team) -> bool:
    """On a host without the run folder, note which host has it; gives whether that was noted."""
    host = team.first_says(socket.gethostname())
    launch = team.launch
    if launch is None or team.is_first or not team.is_first_here or find_launched(out, launch) is not None:
        return False
    mark_elsewhere(out, launch, host, run)
    return True


def _summarize(summary: TrainSummary) -> Report:
    facts = dataclasses.asdict(summary) | {"run": str(summary.run)}
    text = f"{summary.run}: {summary.kimg:g} kimg in {format_duration(summary.seconds)}"
    if summary.num_nonfinite:
        text += f"; {summary.num_nonfinite} gradient values were not finite and were mended"
    if summary.stopped_at is not None:
        text += f"; stopped at the {summary.stopped_at}"
    if summary.stopped_by is not None:
        text += f"; interrupted, continue with `bend finetune --resume {shlex.quote(str(summary.run))}`"
    elif not summary.num_images and summary.stopped_at is None:
        text += "; nothing left to do, give a larger --kimg to continue"
    return Report(text=text, facts=facts, stopped_by=summary.stopped_by)
