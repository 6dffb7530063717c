"""What is being recorded: a take, and one more wherever something changes of which a film has only one."""

import numpy as np
from numpy.typing import NDArray

from bend.errors import SettingsError
from bend.studio.patch import Patch
from bend.studio.stage import Stage
from bend.studio.take import Take

__all__ = ["Recording"]


class Recording:
    """Takes in a row, of which the last one grows. Times are seconds since that one began."""

    def __init__(self) -> None:
        self._takes: list[Take] = []

    @property
    def is_on(self) -> bool:
        """Whether what is played is kept."""
        return bool(self._takes)

    def begin(self, stage: Stage) -> None:
        """Keep what is played from here on, and nothing that was before."""
        self._takes = [_take_of(stage)]

    def part(self, seconds: float, patch: Patch, stage: Stage) -> str | None:
        """Go on with another take, if the patch cannot be in the film of this one.

        Args:
            seconds: how long this one is then.
            patch: that is to be played.
            stage: has the patch's network on it.

        Returns:
            What is another, in words; None where the take goes on.
        """
        what = self._takes[-1].other(patch) if self._takes else None
        if what is not None:
            self._takes[-1].end(seconds)
            self._takes.append(_take_of(stage))
        return what

    def add(self, seconds: float, patch: Patch, w: NDArray[np.float32]) -> None:
        """Keep a frame, if something is recorded; see `Take.add`."""
        if self._takes:
            self._takes[-1].add(seconds, patch, w)

    def end(self, seconds: float) -> list[Take]:
        """Stop keeping.

        Returns:
            All takes.

        Raises:
            SettingsError: nothing was played.
        """
        if self._takes:
            self._takes[-1].end(seconds)
        takes, self._takes = [take for take in self._takes if take.patch is not None], []
        if not takes:
            raise SettingsError("nothing was recorded; press record, play, then stop")
        return takes


def _take_of(stage: Stage) -> Take:
    return Take(resolution=stage.resolution, last_kimg=max(stage.standing.moments, default=None))
