"""The gradients of one phase of a step, accumulated over micro-batches of a size that fits into memory.

Gradients, and the sums that running means are moved by, are added up over the processes of a team. Where memory runs
out in any process, all of them try again: without recordings, then with smaller micro-batches. A failed attempt leaves
no trace, as what it has summed and reported is dropped together with its gradients.
"""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stylegan.device import send
from stylegan.distributed import Team
from stylegan.errors import TrainingError, is_out_of_memory
from stylegan.training.config import Hyperparameters
from stylegan.training.deal import Share, parts, sample_draws, whole_groups
from stylegan.training.phases import Loss, Micro, draw_lengths, g_path_length, moved_pl_mean
from stylegan.training.state import TrainState
from stylegan.training.stats import Collector

__all__ = ["Batch", "Phase", "accumulate_gradients"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
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
class Phase:
    """One loss, and the network that it moves."""

    name: str
    """`G` or `D`."""
    optimizer: torch.optim.Adam
    interval: int
    """It is computed once every this many steps, and its loss is multiplied by that number."""
    loss: Loss
    key: tuple[int, ...]
    """(seed, step, phase), which its random sources derive from."""
    every: int = 1
    """It takes one out of every this many samples of the batch."""

    @property
    def trainable(self) -> list[nn.Parameter]:
        """What its gradients are taken of."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]


def accumulate_gradients(
    state: TrainState, phase: Phase, batch: Batch, micro_batch: int, stats: Collector
) -> tuple[dict[str, Tensor], int]:
    """Leave the gradients of a phase, of the whole batch, in its parameters.

    Args:
        state: its networks and recordings.
        phase: what is computed.
        batch: this process's share.
        micro_batch: images to compute at once, or fewer where memory does not suffice.
        stats: what the phase has to report, of this process's samples.

    Returns:
        What the losses summed besides, of the whole batch (`Micro.sums`), and the micro-batch that fitted.

    Raises:
        TrainingError: not even one image fits into memory.
    """
    while True:
        attempt = _Attempt(state=state, phase=phase, batch=batch, micro_batch=micro_batch)
        if attempt.succeeds():
            gradients = [p.grad for p in phase.trainable if p.grad is not None]
            batch.team.sum_([*gradients, *attempt.sums.values()])
            stats.absorb(attempt.stats)
            return attempt.sums, micro_batch
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


@dataclasses.dataclass(slots=True, kw_only=True)
class _Attempt:
    """An attempt at the gradients of this process's share, in micro-batches of a certain size."""

    state: TrainState
    phase: Phase
    batch: Batch
    micro_batch: int
    stats: Collector = dataclasses.field(default_factory=Collector)
    sums: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    pl_mean: Tensor | None = None

    def succeeds(self) -> bool:
        """Accumulate the gradients; returns whether memory sufficed in every process."""
        if self.phase.loss is g_path_length and not self._is_one_part():
            # The penalty is against a mean that includes the whole batch, so all lengths are measured beforehand.
            lengths: dict[str, Tensor] = {}
            if not self._fits(lambda: self._measure_lengths(lengths)):
                return False
            self.batch.team.sum_(list(lengths.values()))
            self.pl_mean = moved_pl_mean(self.state, lengths)
        return self._fits(self._go_backward)

    def _fits(self, compute: Callable[[], None]) -> bool:
        fits = True
        try:
            compute()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            fits = False
        return bool(self.batch.team.smallest(int(fits)))

    def _is_one_part(self) -> bool:
        """Whether the whole batch is computed at once, here."""
        return self.batch.team.size == 1 and len(self._parts()) == 1

    def _parts(self) -> list[NDArray[np.int64]]:
        share = self.batch.share
        return parts(self.state.D, share, whole_groups(self.state.D, share.batch, self.micro_batch))

    def _go_backward(self) -> None:
        num_taken = -(-self.batch.share.batch // self.phase.every)
        self.phase.optimizer.zero_grad(set_to_none=True)
        _require_grad(self.phase.trainable, True)
        try:
            for micro in self._micros(self.stats, self.sums):
                loss = self.phase.loss(self.state, micro).sum() * (self.phase.interval / num_taken)
                loss.backward()
        finally:
            _require_grad(self.phase.trainable, False)

    def _measure_lengths(self, sums: dict[str, Tensor]) -> None:
        """Sum the path lengths of the share, with the draws that the phase itself will make."""
        for micro in self._micros(Collector(), sums):
            micro.add("lengths", draw_lengths(self.state, micro))
        sums.pop("w", None)

    def _micros(self, stats: Collector, sums: dict[str, Tensor]) -> Iterator[Micro]:
        """The micro-batches, of the samples that the phase takes."""
        batch = self.batch
        for part in self._parts():
            numbers = part[part % self.phase.every == 0]
            if not len(numbers):
                continue
            cpu, device = sample_draws(self.phase.key, numbers, batch.reals.device)
            own = send(torch.from_numpy(numbers - batch.share.start), batch.reals.device)
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
                pl_mean=self.pl_mean,
            )


def _require_grad(parameters: list[nn.Parameter], value: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(value)
