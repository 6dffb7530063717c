"""A bend at one tap: on which channels it acts, where in the plane, and how much of the result is mixed in."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bend.bends.grammar import BendSpec
from bend.bends.memory import Memory
from bend.bends.row import MemoryBend, SignalBend, WeightBend
from bend.bends.selection import Top, merge
from bend.play import Moment
from stylegan.taps import Tap

__all__ = ["SignalAtTap"]


@dataclass(slots=True, kw_only=True)
class SignalAtTap:
    """A bend of the signal at one tap of one network.

    Attributes:
        spec: the bend.
        tap: the place.
        indices: channels `[K]` it acts on; None for all, and for `top`, which chooses them for each picture.
        clamp: bound of the layer's output, which a `gain` must keep to; None for no bound.
        memory: of earlier frames, for bends that remember.
    """

    spec: BendSpec
    tap: Tap
    indices: Tensor | None
    clamp: float | None = None
    memory: Memory = field(default_factory=Memory)

    @property
    def remembers(self) -> bool:
        """Whether the frames of a film must be drawn in order, from the first."""
        row = self.spec.row
        return isinstance(row, MemoryBend) and row.remembers(*self.spec.values_at(0.0))

    def settles(self, times: Iterable[float]) -> int | None:
        """How many frames it takes to forget how it began, at the slowest of these times; None for never."""
        row = self.spec.row
        if not isinstance(row, MemoryBend):
            return 0
        found = [row.settles(*self.spec.values_at(t)) for t in times]
        return None if None in found else max(frames for frames in found if frames is not None)

    def at(self, moment: Moment) -> Callable[[Tensor], Tensor] | None:
        """The function of the signal at `moment`; None if it changes nothing.

        The function takes and gives the signal as `stylegan.taps` describes it, dtype and memory layout kept.
        """
        mix, values = self.spec.mix.at(moment.seconds), self.spec.values_at(moment.seconds)
        if not self.remembers and (mix == 0 or values == self.spec.row.neutral):
            return None

        def bend(x: Tensor) -> Tensor:
            if self.tap.kind == "ws":  # channels are the dimensions of w
                return self._bend(x.transpose(1, 2), values, mix, moment).transpose(1, 2)
            bent = self._bend(x, values, mix, moment)
            is_last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
            return bent.contiguous(memory_format=torch.channels_last) if is_last else bent

        return bend

    def _bend(self, x: Tensor, values: tuple[float, ...], mix: float, moment: Moment) -> Tensor:
        bent = self._apply(x, values, moment)
        if isinstance(self.spec.channels, Top):
            bent = torch.where(self.spec.channels.chosen(x), bent, x)
        if self.spec.mask is not None:
            mask = self.spec.mask.at(moment.seconds, x.shape[2], x.shape[3], self.spec.soft)
            return x + (mix * mask).to(x) * (bent - x)
        return bent if mix == 1 else x + mix * (bent - x)

    def _apply(self, x: Tensor, values: tuple[float, ...], moment: Moment) -> Tensor:
        """Apply the bend to its channels, and leave the others as they are."""
        row = self.spec.row
        if isinstance(row, MemoryBend):  # remembers whole maps, whichever channels are used of them
            self.memory.moment = moment
            bent = row.apply(x, self.memory, *values)
            return (
                bent if self.indices is None else merge(x, bent.index_select(1, self.indices), self.indices)
            )
        assert isinstance(row, SignalBend | WeightBend)
        own = x if self.indices is None else x.index_select(1, self.indices)
        edge = {"edge": self.spec.edge} if isinstance(row, SignalBend) and row.takes_edge else {}
        bent = row.apply(own, *values, **edge)
        if self.clamp is not None:
            bent = bent.clamp(-self.clamp, self.clamp)
        return merge(x, bent, self.indices)
