"""Bends of the mapping network on the stage: they act whenever a latent is mapped, as in `bend.bends.opening`.

A film has one set of them, since its latents are mapped before it starts. Here latents are mapped while the play goes
on, so these bends may vary like others; the path of a take holds what came of that.
"""

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager

from bend.bends.grammar import BendSpec
from bend.bends.player import BendPlay, open_bends
from bend.clusters import LabelsOf
from bend.play import Moment
from stylegan.generator import Generator

__all__ = ["BentMapping"]


class BentMapping:
    """The bends of a generator's mapping network.

    Args:
        G: the generator.
        labels: the clusters of its layers.

    Attributes:
        key: of the bends as they are set.
    """

    def __init__(self, G: Generator, labels: LabelsOf) -> None:
        self.key: tuple[str, ...] = ()
        self._G = G
        self._labels = labels
        self._play: BendPlay | None = None

    def set(self, bends: Sequence[BendSpec]) -> bool:
        """Take these bends from now on; gives whether they are others than before.

        Raises:
            SettingsError: a bend that does not suit the network.
        """
        key = tuple(map(str, bends))
        if key == self.key:
            return False
        self._play = open_bends(bends, self._G, labels=self._labels) if bends else None
        self.key = key
        return True

    def acting(self) -> AbstractContextManager[None]:
        """A context in which they act."""
        return contextlib.nullcontext() if self._play is None else self._play.during(self._G, Moment())
