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

__all__ = ["Moment", "Play", "frames_to_draw", "playing", "run_up"]

_MOST_ROUNDS = 4
"""Of a loop, before its first frame; what has not settled by then jumps a little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a picture is drawn.

    Attributes:
        seconds: since the start of the film; 0 for a still.
        index: of the frame; 0 for a still, below 0 in the run-up to a loop (`run_up`).
        seed: of the picture.
        place: which picture of the frame it is, in a film that shows several side by side.
        first: index of the first frame that is drawn, before which there is nothing to remember.
    """

    seconds: float = 0.0
    index: int = 0
    seed: int = 0
    place: int = 0
    first: int = 0

    @classmethod
    def of_frame(
        cls, index: int, num_frames: int, fps: float, run_up: int = 0, place: int = 0, num_places: int = 1
    ) -> "Moment":
        """When a picture of a film is drawn; its noise is seeded by where it is in the film.

        Args:
            index: of the frame; below 0 in the run-up, which shows the end of the film.
            num_frames: of the film.
            fps: frames a second.
            run_up: frames that are drawn before the first.
            place: which picture of the frame.
            num_places: pictures of a frame.
        """
        shown = index % num_frames
        return cls(
            seconds=shown / fps, index=index, seed=shown * num_places + place, place=place, first=-run_up
        )


class Play(Protocol):
    """A change to a generator that lasts while pictures are drawn."""

    @property
    def varies(self) -> bool:
        """Whether it changes over time: pictures are then drawn one by one, in order."""
        ...

    def during(self, G: Generator, moment: Moment) -> AbstractContextManager[None]:
        """Apply it to `G`, as it is at `moment`, for as long as the context lasts."""
        ...


def run_up(plays: Sequence[Play], num_frames: int, fps: float, *, closed: bool) -> int:
    """How many frames to draw before the first of a film, and throw away, for its end to pass into its beginning.

    In a loop the first frame follows the last, and so remembers it. The frames before index 0 are those of the end,
    with indices below 0. Plays that remember have a method `run_up`; most plays have no such method.

    Args:
        plays: of the film.
        num_frames: of the film.
        fps: frames a second.
        closed: whether the film is a loop.
    """
    if not closed:
        return 0
    wanted = [play.run_up(num_frames, fps) for play in plays if hasattr(play, "run_up")]
    return min(sum(wanted), _MOST_ROUNDS * num_frames)


def frames_to_draw(
    plays: Sequence[Play], num_frames: int, wanted: Container[int], run_up: int = 0
) -> Sequence[int]:
    """The frames of a film that must be drawn to obtain the wanted ones, in order.

    If a play keeps something from frame to frame, these are all frames from the run-up to the last wanted one. Such a
    play has a true attribute `remembers`; most plays have no such attribute.
    """
    needed = [index for index in range(num_frames) if index in wanted]
    in_order = any(getattr(play, "remembers", False) for play in plays)
    return range(-run_up, needed[-1] + 1) if needed and in_order else needed


@contextlib.contextmanager
def playing(G: Generator, plays: Sequence[Play], moment: Moment) -> Iterator[None]:
    """Apply all plays, the first one outermost."""
    with contextlib.ExitStack() as stack:
        for play in plays:
            stack.enter_context(play.during(G, moment))
        yield
