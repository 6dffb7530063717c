"""The losses of a step's phases, each on one micro-batch, and the micro-batch itself.

`step` decides which phase is computed when, and adds up micro-batches and processes.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylegan.draws import SampleDraws
from stylegan.training.config import Hyperparameters
from stylegan.training.losses import logistic_fake, logistic_real, r1_penalty
from stylegan.training.sampling import PathLengths, Sampler, draw_inputs
from stylegan.training.state import TrainState
from stylegan.training.stats import Collector

__all__ = ["Loss", "Micro", "d_main", "d_r1", "draw_lengths", "g_main", "g_path_length", "moved_pl_mean"]

_PL_DECAY = 0.01


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Micro:
    """A micro-batch with its random sources, and where its losses leave what else they find out."""

    numbers: NDArray[np.int64]
    """Of its samples, in the whole batch."""
    reals: Tensor
    real_c: Tensor
    fake_c: Tensor
    hyper: Hyperparameters
    cpu: SampleDraws
    device: SampleDraws
    stats: Collector
    sums: dict[str, Tensor]
    """By name, the number of samples and then the sums over them that running means are moved by, `[1 + …]`."""
    pl_mean: Tensor | None
    """The mean of path lengths including this batch; None where this micro-batch is all of it."""

    def add(self, name: str, values: Tensor) -> None:
        """Add `[N, …]` to the sum called `name`."""
        values = values.detach()
        total = torch.cat([values.new_full([1], len(values)), values.sum(0).reshape(-1)])
        self.sums[name] = self.sums[name] + total if name in self.sums else total


Loss = Callable[[TrainState, Micro], Tensor]
"""The loss of each sample of a micro-batch, `[N]`."""


def g_main(state: TrainState, micro: Micro) -> Tensor:
    logits = _discriminate(state, _generate(state, micro), micro.fake_c, micro, slot=1)
    loss = logistic_real(logits)
    micro.stats.report("Loss/scores/fake", logits)
    micro.stats.report("Loss/signs/fake", logits.detach().sign())
    micro.stats.report("Loss/G/loss", loss)
    return loss[:, 0]


def g_path_length(state: TrainState, micro: Micro) -> Tensor:
    """Against the running mean, which already includes this batch, as in the paper."""
    lengths = draw_lengths(state, micro)
    micro.add("lengths", lengths)
    mean = moved_pl_mean(state, micro.sums) if micro.pl_mean is None else micro.pl_mean
    penalty = (lengths - mean).square()
    micro.stats.report("Loss/pl_penalty", penalty)
    return penalty * micro.hyper.pl_weight


def draw_lengths(state: TrainState, micro: Micro) -> Tensor:
    inputs = draw_inputs(state.G, micro.fake_c, micro.hyper.style_mixing, micro.cpu, micro.device)
    shape = [len(micro.numbers), state.G.img_channels, *[state.G.img_resolution] * 2]
    y = micro.device.normal(shape, next(state.G.parameters()).dtype)
    lengths, w = state.graphs.call(PathLengths(state.G), *inputs, y, network=state.G, slot=0, name="lengths")
    micro.add("w", w)
    return lengths


def d_main(state: TrainState, micro: Micro) -> Tensor:
    with torch.no_grad():
        fakes = _generate(state, micro)
    fake_logits = _discriminate(state, fakes, micro.fake_c, micro, slot=1)
    # The fakes have been judged, so that slot 0, whose memory they lie in, may be used again.
    real_logits = _discriminate(state, micro.reals, micro.real_c, micro, slot=0)
    loss = logistic_fake(fake_logits) + logistic_real(real_logits)
    if state.ada is not None:
        micro.add("signs", real_logits.detach().sign().nan_to_num())
    micro.stats.report("Loss/scores/real", real_logits)
    micro.stats.report("Loss/signs/real", real_logits.detach().sign())
    micro.stats.report("Loss/D/loss", loss)
    return loss[:, 0]


def d_r1(state: TrainState, micro: Micro) -> Tensor:
    reals = micro.reals.detach().requires_grad_()
    logits: Tensor = state.D(_augment(state, reals, micro), micro.real_c)
    penalty = r1_penalty(reals, logits)
    micro.stats.report("Loss/r1_penalty", penalty)
    return penalty * (micro.hyper.r1_gamma / 2)


def moved_pl_mean(state: TrainState, sums: dict[str, Tensor]) -> Tensor:
    """The mean of path lengths including a batch; unchanged where the batch's is not finite."""
    moved = state.pl_mean.lerp(sums["lengths"][1] / sums["lengths"][0], _PL_DECAY)
    return torch.where(moved.isfinite(), moved, state.pl_mean)


def _generate(state: TrainState, micro: Micro) -> Tensor:
    inputs = draw_inputs(state.G, micro.fake_c, micro.hyper.style_mixing, micro.cpu, micro.device)
    images, w = state.graphs.call(Sampler(state.G), *inputs, network=state.G, slot=0, name="images")
    micro.add("w", w)
    return images


def _discriminate(state: TrainState, images: Tensor, c: Tensor, micro: Micro, slot: int) -> Tensor:
    images = _augment(state, images, micro)
    (logits,) = state.graphs.call(state.D, images, c, network=state.D, slot=slot, name="logits")
    return logits


def _augment(state: TrainState, images: Tensor, micro: Micro) -> Tensor:
    return images if state.augment is None else state.augment(images, generator=micro.cpu)
