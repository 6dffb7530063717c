"""One training step: the phases of StyleGAN2-ADA on one batch, and the state they move.

Everything random in a step is a function of (seed, step, phase, sample), so that the state has no random generators and
a resumed run equals one without interruption, on a CPU bit for bit. Each phase accumulates gradients over
micro-batches, sums them over the processes of its team, and then takes one step of its network's Adam. How a batch is
divided (`deal`) must change nothing but rounding, so running means are moved once a phase, by the whole batch. Where
memory runs out in any process, all of them repeat the phase: without recordings, then in smaller micro-batches.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from stylegan.device import send
from stylegan.distributed import ALONE, Team
from stylegan.errors import TrainingError, is_out_of_memory
from stylegan.training.config import Hyperparameters
from stylegan.training.deal import Share, deal, parts, sample_draws, whole_groups
from stylegan.training.ema import ema_beta, update_ema
from stylegan.training.optim import mend_gradients
from stylegan.training.phases import (
    Loss,
    Micro,
    d_main,
    d_r1,
    draw_lengths,
    g_main,
    g_path_length,
    moved_pl_mean,
)
from stylegan.training.state import TrainState
from stylegan.training.stats import Collector

__all__ = ["TrainState", "train_step"]

G_REG_INTERVAL = 4
D_REG_INTERVAL = 16
_PL_EVERY = 2  # the path length takes every second sample


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """What a process computes of a batch, and what its losses need besides the state."""

    reals: Tensor
    """`[N, C, H, W]` in [-1, 1], the samples of `share`."""
    real_c: Tensor
    """`[N, c_dim]`."""
    fake_c: Tensor
    """`[N, c_dim]`."""
    share: Share
    hyper: Hyperparameters
    team: Team


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Phase:
    """One loss, and the network that it moves."""

    name: str
    """`G` or `D`."""
    optimizer: torch.optim.Adam
    interval: int
    """It is computed once in so many steps, and its loss multiplied by their number."""
    loss: Loss
    key: tuple[int, ...]
    """(seed, step, phase), which its random sources derive from."""
    every: int = 1
    """It takes one sample out of so many of the batch."""

    @property
    def trainable(self) -> list[nn.Parameter]:
        """What its gradients are taken of."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]


def train_step(
    state: TrainState,
    hyper: Hyperparameters,
    reals: Tensor,
    real_c: Tensor,
    fake_c: Tensor,
    *,
    seed: int,
    micro_batch: int,
    stats: Collector,
    team: Team = ALONE,
) -> int:
    """Take one step on one batch, or on this process's share of it.

    Args:
        state: moved on by one step; the same in every process, before and after.
        hyper: hyperparameters.
        reals: `[N, C, H, W]` in [-1, 1]; of several processes, the samples that `deal` gives this one.
        real_c: labels of the reals, `[N, c_dim]`.
        fake_c: labels to generate, `[N, c_dim]`.
        seed: seed of the training.
        micro_batch: images computed at once.
        stats: what the step has to report, of this process's samples.
        team: the processes that share the batch.

    Returns:
        The micro-batch it got through with: less than `micro_batch` where memory ran out, in any process.

    Raises:
        TrainingError: not even one image fits into memory.
        TeamError: another process is gone.
    """
    num = len(reals) if team.size == 1 else hyper.batch
    share = deal(state.D, num, team.rank, team.size)
    assert len(share) == len(reals), "not the share of this process"
    batch = _Batch(reals=reals, real_c=real_c, fake_c=fake_c, share=share, hyper=hyper, team=team)
    state.graphs.begin_step()
    with _fastest_convolutions(reals.device):
        for phase in _phases(state, hyper, seed):
            if state.step % phase.interval == 0:
                micro_batch = _take_phase(state, phase, batch, micro_batch, stats)
    state.cur_nimg += num
    state.step += 1
    beta = ema_beta(num, hyper.ema_kimg, state.cur_nimg, hyper.ema_rampup)
    update_ema(state.G_ema, state.G, beta)
    if state.ada is not None:
        state.ada.end_step(num)
    return micro_batch


def _take_phase(state: TrainState, phase: _Phase, batch: _Batch, micro_batch: int, stats: Collector) -> int:
    """Move a phase's network, and return the micro-batch it got through with."""
    micro_batch = _fit_gradients(state, phase, batch, micro_batch, stats)
    num_bad = mend_gradients(phase.trainable)
    state.num_nonfinite += num_bad
    stats.report(f"Progress/nonfinite_{phase.name}", float(num_bad))
    phase.optimizer.step()
    return micro_batch


@contextlib.contextmanager
def _fastest_convolutions(device: torch.device) -> Iterator[None]:
    """Let cuDNN time its kernels and choose the fastest: a training has few shapes, each computed thousands of times.

    Pictures are drawn without this, so that they come out the same every time.
    """
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = before or device.type == "cuda"
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def _phases(state: TrainState, hyper: Hyperparameters, seed: int) -> list[_Phase]:
    """The phases in the order they run."""
    rows: list[tuple[str, torch.optim.Adam, int, Loss, int]] = [("G", state.G_opt, 1, g_main, 1)]
    if hyper.pl_weight > 0:
        rows.append(("G", state.G_opt, G_REG_INTERVAL, g_path_length, _PL_EVERY))
    rows.append(("D", state.D_opt, 1, d_main, 1))
    if hyper.r1_gamma > 0:
        rows.append(("D", state.D_opt, D_REG_INTERVAL, d_r1, 1))
    return [
        _Phase(
            name=name,
            optimizer=optimizer,
            interval=interval,
            loss=loss,
            key=(seed, state.step, index),
            every=every,
        )
        for index, (name, optimizer, interval, loss, every) in enumerate(rows)
    ]


def _fit_gradients(
    state: TrainState, phase: _Phase, batch: _Batch, micro_batch: int, stats: Collector
) -> int:
    """Accumulate the gradients of a phase, and return the micro-batch that fitted into memory.

    Where memory runs out, recordings are dropped first; then the micro-batch is halved until it fits. What a failed
    attempt has summed and reported is dropped together with its gradients.
    """
    while True:
        own = Collector()
        sums = _try_gradients(state, phase, batch, micro_batch, own)
        if sums is not None:
            gradients = [p.grad for p in phase.trainable if p.grad is not None]
            batch.team.sum_([*gradients, *sums.values()])
            _move_running_means(state, sums)
            stats.absorb(own)
            return micro_batch
        phase.optimizer.zero_grad(set_to_none=True)
        had_graphs = state.graphs.give_up()
        if batch.reals.device.type == "cuda":
            torch.cuda.empty_cache()
        if batch.team.largest(int(had_graphs)):  # in any process: all try again without
            continue
        if micro_batch == 1:
            raise TrainingError(
                "out of memory, even with one picture at a time; try --precision fp16, a smaller base, or another "
                "--device"
            )
        micro_batch //= 2


def _try_gradients(
    state: TrainState, phase: _Phase, batch: _Batch, micro_batch: int, stats: Collector
) -> dict[str, Tensor] | None:
    """Accumulate the gradients of this process's share; returns what it summed besides, None where memory ran out."""
    sums: dict[str, Tensor] = {}
    pl_mean: Tensor | None = None
    if phase.loss is g_path_length and not _is_one_part(state, batch, micro_batch):
        # The penalty is against a mean that includes the whole batch, so all lengths are measured beforehand.
        lengths: dict[str, Tensor] = {}
        if not _fits(batch.team, partial(_measure_lengths, state, phase, batch, micro_batch, lengths)):
            return None
        batch.team.sum_(list(lengths.values()))
        pl_mean = moved_pl_mean(state, lengths)
    accumulate = partial(_accumulate_gradients, state, phase, batch, micro_batch, stats, sums, pl_mean)
    return sums if _fits(batch.team, accumulate) else None


def _fits(team: Team, compute: Callable[[], None]) -> bool:
    """Call `compute`, and return whether memory sufficed in every process."""
    fits = True
    try:
        compute()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        fits = False
    return bool(team.smallest(int(fits)))


def _is_one_part(state: TrainState, batch: _Batch, micro_batch: int) -> bool:
    """Whether the whole batch is computed at once, here."""
    whole = whole_groups(state.D, batch.share.batch, micro_batch)
    return batch.team.size == 1 and len(parts(state.D, batch.share, whole)) == 1


def _micros(
    state: TrainState,
    phase: _Phase,
    batch: _Batch,
    micro_batch: int,
    stats: Collector,
    sums: dict[str, Tensor],
    pl_mean: Tensor | None = None,
) -> Iterator[Micro]:
    """The micro-batches of this process's share that have a part in the phase."""
    share = batch.share
    for numbers in parts(state.D, share, whole_groups(state.D, share.batch, micro_batch)):
        numbers = numbers[numbers % phase.every == 0]  # noqa: PLW2901 - the rest has no part in this phase
        if not len(numbers):
            continue
        cpu, device = sample_draws(phase.key, numbers, batch.reals.device)
        own = send(torch.from_numpy(numbers - share.start), batch.reals.device)
        yield Micro(
            numbers=numbers,
            reals=batch.reals[own],
            real_c=batch.real_c[own],
            fake_c=batch.fake_c[own],
            hyper=batch.hyper,
            cpu=cpu,
            device=device,
            stats=stats,
            sums=sums,
            pl_mean=pl_mean,
        )


def _accumulate_gradients(
    state: TrainState,
    phase: _Phase,
    batch: _Batch,
    micro_batch: int,
    stats: Collector,
    sums: dict[str, Tensor],
    pl_mean: Tensor | None,
) -> None:
    num_taken = -(-batch.share.batch // phase.every)
    phase.optimizer.zero_grad(set_to_none=True)
    _require_grad(phase.trainable, True)
    try:
        for micro in _micros(state, phase, batch, micro_batch, stats, sums, pl_mean):
            (phase.loss(state, micro).sum() * (phase.interval / num_taken)).backward()
    finally:
        _require_grad(phase.trainable, False)


def _measure_lengths(
    state: TrainState, phase: _Phase, batch: _Batch, micro_batch: int, sums: dict[str, Tensor]
) -> None:
    """Sum the path lengths of this process's share, with the draws that the phase itself will make."""
    for micro in _micros(state, phase, batch, micro_batch, Collector(), sums):
        micro.add("lengths", draw_lengths(state, micro))
    sums.pop("w", None)


@torch.no_grad()
def _move_running_means(state: TrainState, sums: dict[str, Tensor]) -> None:
    """Move the running means by the whole batch; values that are not finite must not spoil them for good."""
    if "w" in sums and (beta := state.G.mapping.w_avg_beta) is not None:
        mean = sums["w"][1:] / sums["w"][0]
        state.G.mapping.w_avg.copy_(mean.lerp(state.G.mapping.w_avg, beta))
    if "lengths" in sums:
        state.pl_mean.copy_(moved_pl_mean(state, sums))
    if "signs" in sums and state.ada is not None:
        state.ada.observe(sums["signs"][1], sums["signs"][0])


def _require_grad(parameters: list[nn.Parameter], value: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(value)
