"""What a row of the table of bends says: what it does, its parameters, and what it promises.

The contract test reads these promises off every row and holds the function to them, so that a new bend is one
function, one row, and one test of its maths.
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
        default: where nothing is given; None where something must be.
        is_whole: rounded to a whole number.
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
        does: one line for lists.
        parameters: in the order in which the function takes them.
        neutral: values at which nothing changes, None where there are none.
        example: values that show it, for lists and tests.
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
        is_spatial: it needs height and width, `x [N, C, H, W]`.
        is_differentiable: gradients flow through it to `x`.
        takes_edge: it also takes `edge`, a name in `bend.bends.geometry.EDGES`.
    """

    apply: Callable[..., Tensor]
    is_spatial: bool = False
    is_differentiable: bool = True
    takes_edge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBend(Bend):
    """A function of the signal, what is remembered of earlier frames (`bend.bends.memory`), and parameters.

    Attributes:
        apply: the function.
        remembers: whether it does so at these values: then the frames of a film are drawn in order, from the first.
    """

    apply: Callable[..., Tensor]
    remembers: Callable[..., bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightBend(Bend):
    """A function of a parameter `[O, …]` of the network, filters first, and parameters' values to another weight.

    Attributes:
        apply: the function.
        kinds: of taps whose weights it bends.
        names: of the parameters it bends at a tap that is a layer.
    """

    apply: Callable[..., Tensor]
    kinds: tuple[str, ...]
    names: tuple[str, ...] = ("weight",)
