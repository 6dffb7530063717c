"""What is being recorded: a take, and one more wherever something changes of which a film has only one."""

import numpy as np
from numpy.typing import NDArray

from bend.errors import SettingsError
from bend.studio.patch import Patch
from bend.studio.stage import Stage
from bend.studio.take import LONGEST, Take

__all__ = ["Recording"]


class Recording:
    """Takes in a row, of which the last one grows. Times are seconds since that one began.

    Attributes:
        is_over: nothing more is added; the takes wait to be saved.
    """

    def __init__(self) -> None:
        self._takes: list[Take] = []
        self.is_over = False

    @property
    def is_on(self) -> bool:
        """Whether there are takes that are not saved yet."""
        return bool(self._takes)

    def begin(self, stage: Stage) -> None:
        """Keep what is played from here on, and nothing that was before."""
        self._takes, self.is_over = [_take_of(stage)], False

    def part(self, seconds: float, patch: Patch, stage: Stage) -> str | None:
        """Go on with another take, if the patch cannot be in the film of this one.

        Args:
            seconds: how long this one is then.
            patch: that is to be played.
            stage: has the patch's network on it.

        Returns:
            What is another, in words; None where the take goes on.
        """
        if not self._takes or self.is_over:
            return None
        if self._takes[-1].patch is None:  # the network may be another than at the beginning
            self._takes[-1] = _take_of(stage)
        what = self._takes[-1].other(patch)
        if what is not None:
            self._takes[-1].end(seconds)
            self._takes.append(_take_of(stage))
        return what

    def add(self, seconds: float, patch: Patch, w: NDArray[np.float32]) -> bool:
        """Keep a frame, if something is recorded; see `Take.add`. Gives whether the longest take has just ended."""
        if not self._takes or self.is_over:
            return False
        if seconds > LONGEST:
            self.end(LONGEST)
            return True
        self._takes[-1].add(seconds, patch, w)
        return False

    def end(self, seconds: float) -> list[Take]:
        """Add nothing more.

        Returns:
            All takes that are not saved yet.

        Raises:
            SettingsError: nothing was played.
        """
        if self._takes and not self.is_over:
            self._takes[-1].end(seconds)
        self._takes, self.is_over = [take for take in self._takes if take.patch is not None], True
        if not self._takes:
            raise SettingsError("nothing was recorded; press record, play, then stop")
        return list(self._takes)

    def has_saved(self, take: Take) -> None:
        """A take need not be held any longer."""
        self._takes = [other for other in self._takes if other is not take]


def _take_of(stage: Stage) -> Take:
    return Take(resolution=stage.resolution, last_kimg=max(stage.standing.moments, default=None))
