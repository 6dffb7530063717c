"""One training step: the phases of StyleGAN2-ADA on one batch, and the state they move.

Everything random in a step is a function of (seed, step, phase, sample), so that the state holds no random generators
and a resumed run repeats an unbroken one bit for bit. Each phase accumulates gradients over micro-batches, sums them
over the processes of its team, then takes one step of its network's Adam. How a batch is cut and dealt (`deal`) changes
nothing but rounding; running means therefore move once a phase, by the whole batch. Where memory runs out in any
process, all take the phase again in smaller micro-batches.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stylegan.augment import AdaController, AugmentPipe
from stylegan.discriminator import Discriminator
from stylegan.distributed import ALONE, Team
from stylegan.draws import SampleDraws
from stylegan.errors import TrainingError
from stylegan.generator import Generator
from stylegan.training.config import Hyperparameters
from stylegan.training.deal import Share, deal, parts, sample_draws, whole_groups
from stylegan.training.ema import ema_beta, update_ema
from stylegan.training.losses import logistic_fake, logistic_real, mix_styles, path_lengths, r1_penalty
from stylegan.training.optim import mend_gradients
from stylegan.training.stats import Collector

__all__ = ["TrainState", "train_step"]

G_REG_INTERVAL = 4
D_REG_INTERVAL = 16
_PL_EVERY = 2  # the path length takes every second sample
_PL_DECAY = 0.01


@dataclasses.dataclass(slots=True, kw_only=True)
class TrainState:
    """Everything a step reads and writes."""

    G: Generator
    D: Discriminator
    G_ema: Generator
    G_opt: torch.optim.Adam
    D_opt: torch.optim.Adam
    augment: AugmentPipe | None
    """None where images are never augmented."""
    ada: AdaController | None
    """None where images are never augmented; it leaves a fixed probability alone."""
    pl_mean: Tensor
    """Running mean of path lengths, a scalar."""
    cur_nimg: int = 0
    """Real images seen."""
    step: int = 0
    """Steps taken."""
    num_nonfinite: int = 0
    """Gradient values that were not finite, since the start."""


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
class _Micro:
    """A micro-batch with its random sources, and where it leaves what is more than its loss."""

    numbers: NDArray[np.int64]
    """Of its samples in the whole batch."""
    reals: Tensor
    real_c: Tensor
    fake_c: Tensor
    hyper: Hyperparameters
    cpu: SampleDraws
    device: SampleDraws
    stats: Collector
    sums: dict[str, Tensor]
    """Sums over samples that running means are moved by; all but the first element, which is their number."""

    def add(self, name: str, values: Tensor) -> None:
        """Add `[N, …]` to the sum called `name`."""
        values = values.detach()
        total = torch.cat([values.new_full([1], len(values)), values.sum(0).reshape(-1)])
        self.sums[name] = self.sums[name] + total if name in self.sums else total


_Loss = Callable[[TrainState, _Micro], Tensor]
"""The loss of each sample, `[N]`; of some samples where the phase takes not all."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Phase:
    """One loss, and the network that it moves."""

    name: str
    """`G` or `D`."""
    optimizer: torch.optim.Adam
    interval: int
    """Taken every so many steps, and weighted by as much."""
    loss: _Loss
    key: tuple[int, ...]
    """Of its random sources, short of the sample."""
    every: int = 1
    """Takes every so-manieth sample of a batch."""

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
    for phase in _phases(state, hyper, seed):
        if state.step % phase.interval:
            continue
        micro_batch = _fit_gradients(state, phase, batch, micro_batch, stats)
        num_bad = mend_gradients(phase.trainable)
        state.num_nonfinite += num_bad
        stats.report(f"Progress/nonfinite_{phase.name}", float(num_bad))
        phase.optimizer.step()
    state.cur_nimg += num
    state.step += 1
    beta = ema_beta(num, hyper.ema_kimg, state.cur_nimg, hyper.ema_rampup)
    update_ema(state.G_ema, state.G, beta)
    if state.ada is not None:
        state.ada.end_step(num)
    return micro_batch


def _phases(state: TrainState, hyper: Hyperparameters, seed: int) -> list[_Phase]:
    """The phases in the order they run."""
    rows: list[tuple[str, torch.optim.Adam, int, _Loss, int]] = [("G", state.G_opt, 1, _g_main, 1)]
    if hyper.pl_weight > 0:
        rows.append(("G", state.G_opt, G_REG_INTERVAL, _g_path_length, _PL_EVERY))
    rows.append(("D", state.D_opt, 1, _d_main, 1))
    if hyper.r1_gamma > 0:
        rows.append(("D", state.D_opt, D_REG_INTERVAL, _d_r1, 1))
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
    """Accumulate the gradients of a phase; halve the micro-batch until they fit into memory, and return it.

    A failed try leaves no trace: what it summed and reported is dropped with its gradients.
    """
    while True:
        own = Collector()
        sums: dict[str, Tensor] = {}
        fits = True
        try:
            _accumulate_gradients(state, phase, batch, micro_batch, own, sums)
        except RuntimeError as error:  # CUDA's is a class of its own, those of the CPU and MPS are not
            if not _is_out_of_memory(error):
                raise
            fits = False
        if batch.team.smallest(int(fits)):
            gradients = [p.grad for p in phase.trainable if p.grad is not None]
            batch.team.sum_([*gradients, *sums.values()])
            _move_running_means(state, sums)
            stats.absorb(own)
            return micro_batch
        phase.optimizer.zero_grad(set_to_none=True)
        if micro_batch == 1:
            raise TrainingError(
                "out of memory, even with one picture at a time; try --precision fp16, a smaller base, or another "
                "--device"
            )
        micro_batch //= 2
        if batch.reals.device.type == "cuda":
            torch.cuda.empty_cache()


def _accumulate_gradients(
    state: TrainState,
    phase: _Phase,
    batch: _Batch,
    micro_batch: int,
    stats: Collector,
    sums: dict[str, Tensor],
) -> None:
    share = batch.share
    num_taken = -(-share.batch // phase.every)
    phase.optimizer.zero_grad(set_to_none=True)
    _require_grad(phase.trainable, True)
    try:
        for numbers in parts(state.D, share, whole_groups(state.D, share.batch, micro_batch)):
            numbers = numbers[numbers % phase.every == 0]  # noqa: PLW2901 - the rest has no part in this phase
            if not len(numbers):
                continue
            cpu, device = sample_draws(phase.key, numbers, batch.reals.device)
            own = torch.from_numpy(numbers - share.start).to(batch.reals.device)
            micro = _Micro(
                numbers=numbers,
                reals=batch.reals[own],
                real_c=batch.real_c[own],
                fake_c=batch.fake_c[own],
                hyper=batch.hyper,
                cpu=cpu,
                device=device,
                stats=stats,
                sums=sums,
            )
            (phase.loss(state, micro).sum() * (phase.interval / num_taken)).backward()
    finally:
        _require_grad(phase.trainable, False)


@torch.no_grad()
def _move_running_means(state: TrainState, sums: dict[str, Tensor]) -> None:
    """Move what follows the whole batch; values that are not finite must not spoil it for good."""
    means = {name: total[1:] / total[0] for name, total in sums.items()}
    if "w" in means and (beta := state.G.mapping.w_avg_beta) is not None:
        state.G.mapping.w_avg.copy_(means["w"].lerp(state.G.mapping.w_avg, beta))
    if "lengths" in means:
        moved = state.pl_mean.lerp(means["lengths"][0], _PL_DECAY)
        state.pl_mean.copy_(torch.where(moved.isfinite(), moved, state.pl_mean))
    if "signs" in sums and state.ada is not None:
        state.ada.observe_sums(sums["signs"][1], sums["signs"][0])


def _is_out_of_memory(error: RuntimeError) -> bool:
    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)


def _g_main(state: TrainState, micro: _Micro) -> Tensor:
    logits = _discriminate(state, _generate(state, micro), micro.fake_c, micro)
    loss = logistic_real(logits)
    micro.stats.report("Loss/scores/fake", logits)
    micro.stats.report("Loss/signs/fake", logits.detach().sign())
    micro.stats.report("Loss/G/loss", loss)
    return loss[:, 0]


def _g_path_length(state: TrainState, micro: _Micro) -> Tensor:
    """Against the mean of the batches before: the paper's takes in this one first, a hundredth of the way.

    That mean would have to be known of all micro-batches and processes before any of them could go backwards.
    """
    ws = _draw_ws(state, micro)
    images = state.G.synthesis(ws, generator=micro.device)
    lengths = path_lengths(images, ws, micro.device.normal(images.shape, images.dtype))
    micro.add("lengths", lengths)
    penalty = (lengths - state.pl_mean).square()
    micro.stats.report("Loss/pl_penalty", penalty)
    return penalty * micro.hyper.pl_weight


def _d_main(state: TrainState, micro: _Micro) -> Tensor:
    with torch.no_grad():
        fakes = _generate(state, micro)
    fake_logits = _discriminate(state, fakes, micro.fake_c, micro)
    real_logits = _discriminate(state, micro.reals, micro.real_c, micro)
    loss = logistic_fake(fake_logits) + logistic_real(real_logits)
    if state.ada is not None:
        micro.add("signs", real_logits.detach().sign().nan_to_num())
    micro.stats.report("Loss/scores/real", real_logits)
    micro.stats.report("Loss/signs/real", real_logits.detach().sign())
    micro.stats.report("Loss/D/loss", loss)
    return loss[:, 0]


def _d_r1(state: TrainState, micro: _Micro) -> Tensor:
    reals = micro.reals.detach().requires_grad_()
    logits = _discriminate(state, reals, micro.real_c, micro)
    penalty = r1_penalty(reals, logits)
    micro.stats.report("Loss/r1_penalty", penalty)
    return penalty * (micro.hyper.r1_gamma / 2)


def _generate(state: TrainState, micro: _Micro) -> Tensor:
    return state.G.synthesis(_draw_ws(state, micro), generator=micro.device)


def _draw_ws(state: TrainState, micro: _Micro) -> Tensor:
    """Fresh ws `[N, num_ws, w_dim]`, some of them mixed of two."""
    z = micro.device.normal([len(micro.numbers), state.G.z_dim])
    ws = state.G.mapping(z, micro.fake_c, skip_w_avg_update=True)
    micro.add("w", ws[:, 0])
    return mix_styles(state.G, ws, micro.fake_c, micro.hyper.style_mixing, micro.cpu, micro.device)


def _discriminate(state: TrainState, images: Tensor, c: Tensor, micro: _Micro) -> Tensor:
    if state.augment is not None:
        images = state.augment(images, generator=micro.cpu)
    return state.D(images, c)


def _require_grad(parameters: list[nn.Parameter], value: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(value)
