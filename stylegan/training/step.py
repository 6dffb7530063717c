"""One training step: the phases of StyleGAN2-ADA on one batch, and the state they move.

Everything random in a step is a function of (seed, step, phase, micro-batch), so that the state holds no random
generators and a resumed run repeats an unbroken one bit for bit. Each phase accumulates gradients over micro-batches,
then takes one step of its network's Adam. Where memory runs out, a phase is taken again in smaller micro-batches.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from stylegan.augment import AdaController, AugmentPipe
from stylegan.discriminator import Discriminator
from stylegan.errors import TrainingError
from stylegan.generator import Generator
from stylegan.training.config import Hyperparameters
from stylegan.training.ema import ema_beta, update_ema
from stylegan.training.losses import logistic_fake, logistic_real, mix_styles, path_lengths, r1_penalty
from stylegan.training.optim import mend_gradients
from stylegan.training.stats import Collector

__all__ = ["Draws", "TrainState", "train_step"]

G_REG_INTERVAL = 4
D_REG_INTERVAL = 16
_PL_BATCH_SHRINK = 2
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


@dataclasses.dataclass(slots=True, kw_only=True)
class Draws:
    """The random sources of one phase of one step on one micro-batch."""

    host: np.random.Generator
    cpu: torch.Generator
    device: torch.Generator

    @classmethod
    def of(cls, device: torch.device, *key: int) -> "Draws":
        """Sources keyed by (seed, step, phase, micro-batch)."""
        entropy = np.random.SeedSequence(key)
        seeds = [int(seed >> 1) for seed in entropy.generate_state(2, np.uint64)]
        return cls(
            host=np.random.default_rng(entropy),
            cpu=torch.Generator().manual_seed(seeds[1]),
            device=torch.Generator(device).manual_seed(seeds[0]),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """A batch or a part of it, and what its losses need besides the state."""

    reals: Tensor
    """`[N, C, H, W]` in [-1, 1]."""
    real_c: Tensor
    """`[N, c_dim]`."""
    fake_c: Tensor
    """`[N, c_dim]`."""
    hyper: Hyperparameters
    stats: Collector


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Micro(_Batch):
    """A micro-batch with its random sources."""

    draws: Draws


_Loss = Callable[[TrainState, _Micro], Tensor]


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
    """Of its random sources, short of the micro-batch."""

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
) -> int:
    """Take one step on one batch.

    Args:
        state: moved on by one step.
        hyper: hyperparameters.
        reals: `[N, C, H, W]` in [-1, 1].
        real_c: labels of the reals, `[N, c_dim]`.
        fake_c: labels to generate, `[N, c_dim]`.
        seed: seed of the training.
        micro_batch: images computed at once.
        stats: what the step has to report.

    Returns:
        The micro-batch it got through with: less than `micro_batch` where memory ran out.

    Raises:
        TrainingError: not even one image fits into memory.
    """
    batch = _Batch(reals=reals, real_c=real_c, fake_c=fake_c, hyper=hyper, stats=stats)
    for phase in _phases(state, hyper, seed):
        if state.step % phase.interval:
            continue
        micro_batch = _fit_gradients(state, phase, batch, micro_batch)
        num_bad = mend_gradients(phase.trainable)
        state.num_nonfinite += num_bad
        stats.report(f"Progress/nonfinite_{phase.name}", float(num_bad))
        phase.optimizer.step()
    state.cur_nimg += len(reals)
    state.step += 1
    beta = ema_beta(len(reals), hyper.ema_kimg, state.cur_nimg, hyper.ema_rampup)
    update_ema(state.G_ema, state.G, beta)
    if state.ada is not None:
        state.ada.end_step(len(reals))
    return micro_batch


def _phases(state: TrainState, hyper: Hyperparameters, seed: int) -> list[_Phase]:
    """The phases in the order they run."""
    rows: list[tuple[str, torch.optim.Adam, int, _Loss]] = [("G", state.G_opt, 1, _g_main)]
    if hyper.pl_weight > 0:
        rows.append(("G", state.G_opt, G_REG_INTERVAL, _g_path_length))
    rows.append(("D", state.D_opt, 1, _d_main))
    if hyper.r1_gamma > 0:
        rows.append(("D", state.D_opt, D_REG_INTERVAL, _d_r1))
    return [
        _Phase(name=name, optimizer=optimizer, interval=interval, loss=loss, key=(seed, state.step, index))
        for index, (name, optimizer, interval, loss) in enumerate(rows)
    ]


def _fit_gradients(state: TrainState, phase: _Phase, batch: _Batch, micro_batch: int) -> int:
    """Accumulate the gradients of a phase; halve the micro-batch until they fit into memory, and return it.

    What a failed try did to running means (w_avg, path length, ADA's count) stays: they see some samples twice.
    """
    while True:
        try:
            _accumulate_gradients(state, phase, batch, micro_batch)
        except RuntimeError as error:  # CUDA's is a class of its own, those of the CPU and MPS are not
            if not _is_out_of_memory(error):
                raise
        else:
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


def _accumulate_gradients(state: TrainState, phase: _Phase, batch: _Batch, micro_batch: int) -> None:
    num = len(batch.reals)
    phase.optimizer.zero_grad(set_to_none=True)
    _require_grad(phase.trainable, True)
    try:
        for i, start in enumerate(range(0, num, micro_batch)):
            part = slice(start, start + micro_batch)
            micro = _Micro(
                reals=batch.reals[part],
                real_c=batch.real_c[part],
                fake_c=batch.fake_c[part],
                hyper=batch.hyper,
                stats=batch.stats,
                draws=Draws.of(batch.reals.device, *phase.key, i),
            )
            share = len(micro.reals) / num
            (phase.loss(state, micro) * (phase.interval * share)).backward()
    finally:
        _require_grad(phase.trainable, False)


def _is_out_of_memory(error: RuntimeError) -> bool:
    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)


def _g_main(state: TrainState, micro: _Micro) -> Tensor:
    logits = _discriminate(state, _generate(state, micro, micro.fake_c), micro.fake_c, micro)
    loss = logistic_real(logits)
    micro.stats.report("Loss/scores/fake", logits)
    micro.stats.report("Loss/signs/fake", logits.detach().sign())
    micro.stats.report("Loss/G/loss", loss)
    return loss.mean()


def _g_path_length(state: TrainState, micro: _Micro) -> Tensor:
    c = micro.fake_c[: max(len(micro.fake_c) // _PL_BATCH_SHRINK, 1)]
    draws = micro.draws
    z = torch.randn([len(c), state.G.z_dim], generator=draws.device, device=c.device)
    ws = mix_styles(state.G, z, c, micro.hyper.style_mixing, draws.host, draws.device)
    images = state.G.synthesis(ws, generator=draws.device)
    noise = torch.randn(images.shape, generator=draws.device, device=c.device)
    lengths = path_lengths(images, ws, noise)
    moved = state.pl_mean.lerp(lengths.detach().mean(), _PL_DECAY)
    state.pl_mean.copy_(
        torch.where(moved.isfinite(), moved, state.pl_mean)
    )  # one bad image must not spoil it for good
    penalty = (lengths - state.pl_mean).square()
    micro.stats.report("Loss/pl_penalty", penalty)
    return penalty.mean() * micro.hyper.pl_weight


def _d_main(state: TrainState, micro: _Micro) -> Tensor:
    with torch.no_grad():
        fakes = _generate(state, micro, micro.fake_c)
    fake_logits = _discriminate(state, fakes, micro.fake_c, micro)
    real_logits = _discriminate(state, micro.reals, micro.real_c, micro)
    loss = logistic_fake(fake_logits).mean() + logistic_real(real_logits).mean()
    if state.ada is not None:
        state.ada.observe(real_logits)
    micro.stats.report("Loss/scores/real", real_logits)
    micro.stats.report("Loss/signs/real", real_logits.detach().sign())
    micro.stats.report("Loss/D/loss", loss)
    return loss


def _d_r1(state: TrainState, micro: _Micro) -> Tensor:
    reals = micro.reals.detach().requires_grad_()
    logits = _discriminate(state, reals, micro.real_c, micro)
    penalty = r1_penalty(reals, logits)
    micro.stats.report("Loss/r1_penalty", penalty)
    return penalty.mean() * (micro.hyper.r1_gamma / 2)


def _generate(state: TrainState, micro: _Micro, c: Tensor) -> Tensor:
    draws = micro.draws
    z = torch.randn([len(c), state.G.z_dim], generator=draws.device, device=c.device)
    ws = mix_styles(state.G, z, c, micro.hyper.style_mixing, draws.host, draws.device)
    return state.G.synthesis(ws, generator=draws.device)


def _discriminate(state: TrainState, images: Tensor, c: Tensor, micro: _Micro) -> Tensor:
    if state.augment is not None:
        images = state.augment(images, generator=micro.draws.cpu)
    return state.D(images, c)


def _require_grad(parameters: list[nn.Parameter], value: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(value)
