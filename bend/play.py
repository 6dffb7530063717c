"""What may happen to a network while it draws: the `Play`, and the `Moment` it is told.

A still, a walk, a timeline and the studio draw in the same way; a bend, a dial or anything else that changes the
network for the length of a picture is a `Play` and so works in all of them. Drawing itself is `bend.render`'s.
"""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from stylegan.generator import Generator

__all__ = ["Moment", "Play", "playing", "remembers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a picture is drawn.

    Attributes:
        seconds: from the start of the film; 0 for a still.
        index: which frame of the film; 0 for a still.
        seed: of the picture.
        place: which of the pictures of the frame, where a film shows several side by side.
    """

    seconds: float = 0.0
    index: int = 0
    seed: int = 0
    place: int = 0


class Play(Protocol):
    """Something that is done to a generator while pictures are drawn, and undone afterwards."""

    @property
    def varies(self) -> bool:
        """Whether it differs from moment to moment: then pictures are drawn one at a time, in order."""
        ...

    def during(self, G: Generator, moment: Moment) -> AbstractContextManager[None]:
        """Do it to `G` as it is at `moment`, for as long as the context lasts."""
        ...


def remembers(plays: Sequence[Play]) -> bool:
    """Whether any play keeps something from frame to frame: then a film is drawn from its first frame on.

    Such a play says so by an attribute `remembers`; most have none.
    """
    return any(getattr(play, "remembers", False) for play in plays)


@contextlib.contextmanager
def playing(G: Generator, plays: Sequence[Play], moment: Moment) -> Iterator[None]:
    """All plays at once, the first one outermost."""
    with contextlib.ExitStack() as stack:
        for play in plays:
            stack.enter_context(play.during(G, moment))
        yield
