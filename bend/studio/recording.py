"""A recording: a take, and another one whenever something changes that is fixed within a film."""

import numpy as np
from numpy.typing import NDArray

from bend.errors import SettingsError
from bend.studio.patch import Patch
from bend.studio.shelf import Opened
from bend.studio.stage import Stage
from bend.studio.take import LONGEST, Take

__all__ = ["Recording"]


class Recording:
    """Successive takes, of which the last one grows. Times are seconds since that one began.

    Attributes:
        is_over: whether nothing more is added, and the takes wait to be saved.
    """

    def __init__(self) -> None:
        self._takes: list[Take] = []
        self.is_over = False

    @property
    def is_on(self) -> bool:
        """Whether there are takes that are not saved yet."""
        return bool(self._takes)

    def begin(self, stage: Stage) -> None:
        """Record what is played from here on, and drop earlier takes."""
        self._takes, self.is_over = [_take_of(stage)], False

    def part(self, seconds: float, patch: Patch, stage: Stage) -> str | None:
        """Go on with another take, if the patch cannot be in the film of this one.

        Args:
            seconds: how long this one is then.
            patch: that is to be played.
            stage: with the patch's network.

        Returns:
            What has changed, in words; None if the take goes on.
        """
        if not self._takes or self.is_over:
            return None
        if self._takes[-1].patch is None:  # the network may have changed since `begin`
            self._takes[-1] = _take_of(stage)
        what = self._takes[-1].other(patch)
        if what is not None:
            self._takes[-1].end(seconds)
            self._takes.append(_take_of(stage))
        return what

    def add(self, seconds: float, patch: Patch, w: NDArray[np.float32]) -> bool:
        """Add a frame, as `Take.add`, while recording; gives whether the take has just reached its greatest length."""
        if not self._takes or self.is_over:
            return False
        if seconds > LONGEST:
            self.end(LONGEST)
            return True
        self._takes[-1].add(seconds, patch, w)
        return False

    def uses(self, opened: Opened) -> None:
        """These networks draw the frame that is added next."""
        if self._takes and not self.is_over:
            self._takes[-1].uses(opened)

    def end(self, seconds: float) -> list[Take]:
        """Stop recording.

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
    return Take(resolution=stage.resolution, last_kimg=stage.last_kimg)
