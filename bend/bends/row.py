"""The rows of the table of bends: what each does, its parameters, and its properties.

A contract test checks that every bend has the properties that its row states, so that a new bend is one function, one
row, and one test of its maths.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Bend", "MemoryBend", "Parameter", "SignalBend", "WeightBend"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A number that a bend takes, which may vary over time.

    Attributes:
        name: in `name=value`, in messages, and in the docs.
        low: least value.
        high: greatest value.
        default: its value if none is given; None if one must be.
        is_whole: whether it is rounded to a whole number.
    """

    name: str
    low: float
    high: float
    default: float | None = None
    is_whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bend:
    """A row of the table.

    Attributes:
        does: what it does, in one line for lists.
        parameters: in the order in which the function takes them.
        neutral: values at which nothing changes; None if there are none.
        example: values that show what it does, for lists and tests.
    """

    does: str
    parameters: tuple[Parameter, ...] = ()
    neutral: tuple[float, ...] | None = None
    example: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalBend(Bend):
    """A function of the signal `x [N, C, …]` and the parameters' values to what takes its place, of the same shape.

    Each picture of a batch is bent on its own, as if it were alone.

    Attributes:
        apply: the function.
        is_spatial: whether it needs height and width, `x [N, C, H, W]`.
        is_differentiable: whether gradients flow through it to `x`.
        takes_edge: whether it also takes `edge`, a name in `bend.bends.geometry.EDGES`.
    """

    apply: Callable[..., Tensor]
    is_spatial: bool = False
    is_differentiable: bool = True
    takes_edge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBend(Bend):
    """A function of the signal, of what is remembered of earlier frames (`bend.bends.memory`), and of parameters.

    Attributes:
        apply: the function.
        remembers: from the parameters' values to whether frames must be drawn in order, from the first.
        settles: from the parameters' values to the number of frames in which it forgets how it began; None for never.
    """

    apply: Callable[..., Tensor]
    remembers: Callable[..., bool]
    settles: Callable[..., int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightBend(Bend):
    """A function of a parameter `[O, …]` of the network, filters first, and parameters' values to another weight.

    Attributes:
        apply: the function.
        kinds: the kinds of taps whose weights it bends.
        names: of the parameters that it bends at a tap that is a layer.
    """

    apply: Callable[..., Tensor]
    kinds: tuple[str, ...]
    names: tuple[str, ...] = ("weight",)
