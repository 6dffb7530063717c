"""The protocol of everything that changes a network while it draws: the `Play`, and the `Moment` that it is given.

A bend, a dial, or anything else that changes the network while a picture is drawn is a `Play`, and so works in stills,
walks, timelines and the studio alike. The drawing itself is in `bend.render`.
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
        seconds: since the start of the film; 0 for a still.
        index: of the frame; 0 for a still.
        seed: of the picture.
        place: which picture of the frame it is, in a film that shows several side by side.
    """

    seconds: float = 0.0
    index: int = 0
    seed: int = 0
    place: int = 0


class Play(Protocol):
    """A change to a generator that lasts while pictures are drawn."""

    @property
    def varies(self) -> bool:
        """Whether it changes over time: pictures are then drawn one by one, in order."""
        ...

    def during(self, G: Generator, moment: Moment) -> AbstractContextManager[None]:
        """Apply it to `G`, as it is at `moment`, for as long as the context lasts."""
        ...


def frames_to_draw(plays: Sequence[Play], num_frames: int, wanted: Container[int]) -> Sequence[int]:
    """The frames of a film that must be drawn to obtain the wanted ones, in order.

    If a play keeps something from frame to frame, these are all frames up to the last wanted one. Such a play has a
    true attribute `remembers`; most plays have no such attribute.
    """
    needed = [index for index in range(num_frames) if index in wanted]
    in_order = any(getattr(play, "remembers", False) for play in plays)
    return range(needed[-1] + 1) if needed and in_order else needed


@contextlib.contextmanager
def playing(G: Generator, plays: Sequence[Play], moment: Moment) -> Iterator[None]:
    """Apply all plays, the first one outermost."""
    with contextlib.ExitStack() as stack:
        for play in plays:
            stack.enter_context(play.during(G, moment))
        yield
