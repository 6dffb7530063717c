"""One training step: the phases of StyleGAN2-ADA on one batch.

Everything random in a step is a function of (seed, step, phase, sample), so that the state has no random generators and
a resumed run equals one without interruption, on a CPU bit for bit. Each phase takes its gradients (`gradients`), and
then one step of its network's Adam. How a batch is divided (`deal`) must change nothing but rounding, so running means
are moved once a phase, by the whole batch.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor

from stylegan.distributed import ALONE, Team
from stylegan.training.config import Hyperparameters
from stylegan.training.deal import deal
from stylegan.training.ema import ema_beta, update_ema
from stylegan.training.gradients import Batch, Phase, accumulate_gradients
from stylegan.training.optim import mend_gradients
from stylegan.training.phases import Loss, d_main, d_r1, g_main, g_path_length, moved_pl_mean
from stylegan.training.state import TrainState
from stylegan.training.stats import Collector

__all__ = ["D_REG_INTERVAL", "G_REG_INTERVAL", "train_step"]

G_REG_INTERVAL = 4
D_REG_INTERVAL = 16
_PL_EVERY = 2  # the path length takes every second sample


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
    batch = Batch(reals=reals, real_c=real_c, fake_c=fake_c, share=share, hyper=hyper, team=team)
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


def _take_phase(state: TrainState, phase: Phase, batch: Batch, micro_batch: int, stats: Collector) -> int:
    """Move a phase's network, and return the micro-batch it got through with."""
    sums, micro_batch = accumulate_gradients(state, phase, batch, micro_batch, stats)
    _move_running_means(state, sums)
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


def _phases(state: TrainState, hyper: Hyperparameters, seed: int) -> list[Phase]:
    """The phases in the order they run."""
    rows: list[tuple[str, torch.optim.Adam, int, Loss, int]] = [("G", state.G_opt, 1, g_main, 1)]
    if hyper.pl_weight > 0:
        rows.append(("G", state.G_opt, G_REG_INTERVAL, g_path_length, _PL_EVERY))
    rows.append(("D", state.D_opt, 1, d_main, 1))
    if hyper.r1_gamma > 0:
        rows.append(("D", state.D_opt, D_REG_INTERVAL, d_r1, 1))
    return [
        Phase(
            name=name,
            optimizer=optimizer,
            interval=interval,
            loss=loss,
            key=(seed, state.step, index),
            every=every,
        )
        for index, (name, optimizer, interval, loss, every) in enumerate(rows)
    ]


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
