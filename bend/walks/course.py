"""What all walks share: the settings (`Course`), the rows of their table (`Walk`), and the times of frames.

Time runs over [0, 1). A closed walk is periodic: t = 1 would be t = 0, so `times` leaves it out and the last
frame lies one step before the first. An open walk ends on its last keyframe, so `times` includes t = 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Course", "Floats", "Path", "Walk", "segments", "times"]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The settings of a walk besides its keyframes; each walk reads those that concern it.

    Attributes:
        loop: return from the last keyframe to the first.
        seed: of the noise field.
        radius: of a circle about a point, as a share of that point's norm.
        diameter: of the circle in the noise field, in lattice cells.
        amount: how far noise strays, as a share of the keyframes' root mean square.
        knots: times of the keyframes from 0 to 1, rising, `[K]`, of a loop `[K + 1]` with that of the return; None for
            even ones.
    """

    loop: bool = False
    seed: int = 0
    radius: float = 1.0
    diameter: float = 2.0
    amount: float = 1.0
    knots: Floats | None = None


Path: TypeAlias = Callable[[Floats, Floats, Course], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A row of the table: the function and its properties.

    Attributes:
        at: `(keyframes [K, dim], t [T], course) -> [T, dim]`.
        space: the latent space that it suits, `z` or `w`.
        fewest: least number of keyframes.
        most: greatest number of keyframes; None for any.
        usual: default number of keyframes.
        always_closed: whether it is closed even without `loop`.
        passes_keyframes: whether it passes keyframe k of K at its knot, by default t = k/K (closed) or k/(K-1) (open).
        keeps_norm: whether keyframes of one norm give points of that norm.
    """

    at: Path
    space: str
    fewest: int
    most: int | None = None
    usual: int = 4
    always_closed: bool = False
    passes_keyframes: bool = False
    keeps_norm: bool = False

    def closes(self, loop: bool) -> bool:
        """Whether the path is closed, given whether a loop is asked for."""
        return loop or self.always_closed

    def takes(self, num_keyframes: int) -> bool:
        """Whether the walk can run through that many keyframes."""
        return num_keyframes >= self.fewest and (self.most is None or num_keyframes <= self.most)


def times(num_frames: int, closed: bool) -> Floats:
    """The time of each frame, `[num_frames]`, evenly spaced over [0, 1) if closed, else over [0, 1]."""
    if closed or num_frames == 1:
        return np.arange(num_frames) / num_frames
    return np.arange(num_frames) / (num_frames - 1)


def segments(
    num_keyframes: int, t: Floats, course: Course
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """The two keyframes between which each time falls, and how far it is from the first to the second.

    Args:
        num_keyframes: K.
        t: times, `[T]`.
        course: of a loop there are K segments, the last back to the first keyframe; else K - 1.

    Returns:
        Index of the keyframe before and of the one after, `[T]`, and the share of the way, `[T, 1]`, 0 to 1.
    """
    loop = course.loop
    num_segments = num_keyframes if loop else max(num_keyframes - 1, 1)
    position = np.asarray(t, dtype=np.float64) * num_segments
    if course.knots is not None:
        position = np.interp(t, course.knots, np.arange(num_segments + 1))
    # k/K*K need not equal k in floating point, but keyframes must be hit exactly.
    position = np.where(np.abs(position - position.round()) < 1e-9, position.round(), position)
    before = np.floor(position).astype(np.intp)
    if not loop:
        before = before.clip(0, num_segments - 1)
    share = (position - before)[:, None]
    if loop:
        return before % num_keyframes, (before + 1) % num_keyframes, share
    return before, (before + 1).clip(max=num_keyframes - 1), share
