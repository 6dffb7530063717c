"""The losses that the phases of a step are made of, each on one micro-batch, and what a micro-batch knows.

Which phase is taken when, and how micro-batches and processes add up, is `step`'s.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylegan.draws import SampleDraws
from stylegan.training.config import Hyperparameters
from stylegan.training.losses import logistic_fake, logistic_real, mix_styles, path_lengths, r1_penalty
from stylegan.training.state import TrainState
from stylegan.training.stats import Collector

__all__ = ["Loss", "Micro", "d_main", "d_r1", "draw_lengths", "g_main", "g_path_length", "moved_pl_mean"]

_PL_DECAY = 0.01


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Micro:
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
    pl_mean: Tensor | None
    """The mean of path lengths with this batch taken in; None where this micro-batch is all of it."""

    def add(self, name: str, values: Tensor) -> None:
        """Add `[N, …]` to the sum called `name`."""
        values = values.detach()
        total = torch.cat([values.new_full([1], len(values)), values.sum(0).reshape(-1)])
        self.sums[name] = self.sums[name] + total if name in self.sums else total


Loss = Callable[[TrainState, Micro], Tensor]
"""The loss of each sample, `[N]`; of some samples where the phase takes not all."""


def g_main(state: TrainState, micro: Micro) -> Tensor:
    logits = _discriminate(state, _generate(state, micro), micro.fake_c, micro)
    loss = logistic_real(logits)
    micro.stats.report("Loss/scores/fake", logits)
    micro.stats.report("Loss/signs/fake", logits.detach().sign())
    micro.stats.report("Loss/G/loss", loss)
    return loss[:, 0]


def g_path_length(state: TrainState, micro: Micro) -> Tensor:
    """Against the running mean with this batch taken in already, as the paper has it."""
    lengths = draw_lengths(state, micro)
    micro.add("lengths", lengths)
    mean = moved_pl_mean(state, micro.sums) if micro.pl_mean is None else micro.pl_mean
    penalty = (lengths - mean).square()
    micro.stats.report("Loss/pl_penalty", penalty)
    return penalty * micro.hyper.pl_weight


def draw_lengths(state: TrainState, micro: Micro) -> Tensor:
    ws = _draw_ws(state, micro)
    if not ws.requires_grad:  # where only the lengths are wanted
        ws = ws.detach().requires_grad_()
    images = state.G.synthesis(ws, generator=micro.device)
    return path_lengths(images, ws, micro.device.normal(images.shape, images.dtype))


def d_main(state: TrainState, micro: Micro) -> Tensor:
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


def d_r1(state: TrainState, micro: Micro) -> Tensor:
    reals = micro.reals.detach().requires_grad_()
    logits = _discriminate(state, reals, micro.real_c, micro)
    penalty = r1_penalty(reals, logits)
    micro.stats.report("Loss/r1_penalty", penalty)
    return penalty * (micro.hyper.r1_gamma / 2)


def _generate(state: TrainState, micro: Micro) -> Tensor:
    return state.G.synthesis(_draw_ws(state, micro), generator=micro.device)


def _draw_ws(state: TrainState, micro: Micro) -> Tensor:
    """Fresh ws `[N, num_ws, w_dim]`, some of them mixed of two."""
    z = micro.device.normal([len(micro.numbers), state.G.z_dim])
    ws = state.G.mapping(z, micro.fake_c, skip_w_avg_update=True)
    micro.add("w", ws[:, 0])
    return mix_styles(state.G, ws, micro.fake_c, micro.hyper.style_mixing, micro.cpu, micro.device)


def _discriminate(state: TrainState, images: Tensor, c: Tensor, micro: Micro) -> Tensor:
    if state.augment is not None:
        images = state.augment(images, generator=micro.cpu)
    return state.D(images, c)


def moved_pl_mean(state: TrainState, sums: dict[str, Tensor]) -> Tensor:
    """The mean of path lengths with a batch taken in; as it was where the batch's is not finite."""
    moved = state.pl_mean.lerp(sums["lengths"][1] / sums["lengths"][0], _PL_DECAY)
    return torch.where(moved.isfinite(), moved, state.pl_mean)
