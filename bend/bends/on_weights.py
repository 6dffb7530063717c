"""Weights bent in place while a picture is drawn, and restored bit for bit; or bent for good in a training.

Bends of one parameter act one after another, in the order given. For pictures, what does not vary is computed once, and
weights are written in place, so that caches of derived values notice the change by the weights' version. In a training
the weights themselves go on learning: a layer computes with a function of them, and gradients flow through that
function.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from bend.bends.grammar import BendSpec
from bend.bends.on_signals import SignalAtTap
from bend.bends.row import WeightBend
from bend.play import Moment

__all__ = ["BentParameter", "WeightStep", "bend_of_filters", "bend_of_parameter", "stay_bent"]

WeightStep: TypeAlias = Callable[[Tensor, Moment], Tensor]


@dataclass(slots=True, kw_only=True)
class BentParameter:
    """The bends that one parameter of a network goes through.

    Attributes:
        steps: each gives a new tensor, or the one it was given if it changes nothing.
        varies: whether any of them changes over time.
    """

    steps: list[WeightStep] = field(default_factory=list)
    varies: bool = False
    _known: tuple[Tensor, Tensor] | None = None

    @contextlib.contextmanager
    def during(self, parameter: nn.Parameter, moment: Moment) -> Iterator[None]:
        """Bend `parameter` as it is at `moment`, for as long as the context lasts."""
        with torch.no_grad():
            before = parameter.clone()
            parameter.copy_(self._bent_from(before, moment))
        try:
            yield
        finally:
            with torch.no_grad():
                parameter.copy_(before)

    def _bent_from(self, weight: Tensor, moment: Moment) -> Tensor:
        """The bent `weight`, from before if neither it nor the bends have changed."""
        if self.varies:
            return self.through(weight, moment)
        # Another play, such as a dial, may have moved the weight since.
        if self._known is None or not torch.equal(self._known[0], weight):
            self._known = weight, self.through(weight, moment)
        return self._known[1]

    def through(self, weight: Tensor, moment: Moment) -> Tensor:
        """A weight after all bends."""
        for step in self.steps:
            weight = step(weight, moment)
        return weight


def stay_bent(module: nn.Module, name: str, bent: BentParameter) -> None:
    """Have `module` compute with its parameter `name` bent, for good; the parameter itself stays as it is.

    Only `forward` sees the bent tensor; optimisers, hooks and state dicts see the parameter.
    """
    own = module._parameters[name]
    assert own is not None

    def begin(module: nn.Module, args: Any) -> None:
        # Written to the table itself, since `setattr` refuses a plain tensor for a parameter.
        module._parameters[name] = bent.through(own, Moment())  # type: ignore[assignment]

    def end(module: nn.Module, args: Any, output: Any) -> None:
        module._parameters[name] = own

    module.register_forward_pre_hook(begin)
    module.register_forward_hook(end, always_call=True)


def bend_of_filters(spec: BendSpec, indices: Tensor | None) -> WeightStep:
    """A weight bend of the filters `indices [K]` of a parameter `[O, …]`; None for all of them."""
    row = spec.row
    assert isinstance(row, WeightBend)

    def step(weight: Tensor, moment: Moment) -> Tensor:
        mix, values = spec.mix.at(moment.seconds), spec.values_at(moment.seconds)
        if mix == 0 or values == row.neutral:
            return weight
        own = weight if indices is None else weight[indices]
        bent = row.apply(own, *values)
        bent = bent if mix == 1 else own + mix * (bent - own)
        return bent if indices is None else weight.index_copy(0, indices, bent)

    return step


def bend_of_parameter(placed: SignalAtTap) -> WeightStep:
    """A signal bend of a parameter, seen as a signal: a bias `[O]` as `[1, O]`, a noise strength `[]` as `[1, 1]`."""

    def step(weight: Tensor, moment: Moment) -> Tensor:
        function = placed.at(moment)
        return weight if function is None else function(weight.reshape(1, -1)).view_as(weight)

    return step
