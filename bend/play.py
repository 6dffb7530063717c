"""What may happen to a network while it draws: the `Play`, and the `Moment` it is told.

A still, a walk, a timeline and the studio draw in the same way; a bend, a dial or anything else that changes the
network for the length of a picture is a `Play` and so works in all of them. Drawing itself is `bend.render`'s.
"""

import contextlib
from collections.abc import Container, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from stylegan.generator import Generator

__all__ = ["Moment", "Play", "frames_to_draw", "playing"]


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


def frames_to_draw(plays: Sequence[Play], num_frames: int, wanted: Container[int]) -> Sequence[int]:
    """The frames of a film that must be drawn for those that are wanted, in order.

    Where a play keeps something from frame to frame, which it says by an attribute `remembers`, these are all from
    the first to the last one wanted.
    """
    needed = [index for index in range(num_frames) if index in wanted]
    in_order = any(getattr(play, "remembers", False) for play in plays)
    return range(needed[-1] + 1) if needed and in_order else needed


@contextlib.contextmanager
def playing(G: Generator, plays: Sequence[Play], moment: Moment) -> Iterator[None]:
    """All plays at once, the first one outermost."""
    with contextlib.ExitStack() as stack:
        for play in plays:
            stack.enter_context(play.during(G, moment))
        yield
