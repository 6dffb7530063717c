"""The point that moves over the map by itself: its place as a plain function of time.

The same function serves the live picture and the film that is rendered later, so that both follow the same path.
"""

import dataclasses
import math

from bend.studio.patch import Patch, Place, Wander

__all__ = ["Walk", "wandered"]

_TURN = 10.0  # seconds of a turn, or from one seed to the next, at speed 1
_LONGEST_STEP_S = 0.5
_RATIO = (math.sqrt(5) - 1) / 2  # of the frequencies of a drift: irrational, so that it never repeats


def wandered(place: Place, wander: Wander, seconds: float) -> Place:
    """Where the point is.

    Args:
        place: where it started.
        wander: how it moves.
        seconds: since then.

    Returns:
        A place; on a journey, a morph from one seed to the next.
    """
    if not wander.on:
        return place
    turns = seconds * wander.speed / _TURN
    if wander.path == "journey":
        return _journey(place, turns)
    angle = 2 * math.pi * turns
    if wander.path == "circle":
        dx, dy = math.cos(angle) - 1, math.sin(angle)
    else:
        dx = (math.sin(angle) + math.sin(angle * _RATIO)) / 2
        dy = (math.sin(angle * _RATIO * 1.3) + math.sin(angle * 0.5)) / 2
    x, y = (
        max(min(value, 100.0), -100.0) for value in (place.x + wander.reach * dx, place.y + wander.reach * dy)
    )
    return dataclasses.replace(place, x=x, y=y)


class Walk:
    """The moving point while it is played; its phase is accumulated, so that a change of speed does not make it jump.

    Args:
        place: where it starts.
        now: of `time.monotonic`.

    Attributes:
        place: where it is.
    """

    def __init__(self, place: Place, now: float) -> None:
        self.place = place
        self._moved_at = now
        self._phase = 0.0

    def move(self, patch: Patch, now: float) -> Place:
        """Move the point to where it is now."""
        elapsed, self._moved_at = now - self._moved_at, now
        step = min(elapsed, _LONGEST_STEP_S) * patch.wander.speed
        self._phase = self._phase + step if patch.wander.on else 0.0
        self.place = self.ahead(patch, 0.0)
        return self.place

    def ahead(self, patch: Patch, seconds: float) -> Place:
        """Where it will be in `seconds`, if the patch stays the same."""
        even = dataclasses.replace(patch.wander, speed=1.0)
        return wandered(patch.place, even, self._phase + seconds * patch.wander.speed)


def _journey(place: Place, turns: float) -> Place:
    """From seed to seed, slowing to a stop at each."""
    number, u = divmod(turns, 1.0)
    here, there = (_at_seed(place, int(number) + step) for step in (0, 1))
    return dataclasses.replace(here, to=there, share=u * u * (3 - 2 * u))


def _at_seed(place: Place, steps: int) -> Place:
    """The place of the seed `steps` after the first one; step 0 is where the point started."""
    if steps == 0:
        return dataclasses.replace(place, to=None, share=0.0)
    seed = (place.seeds[0] + steps) % 2**32
    return Place(seeds=(seed, place.seeds[1], place.seeds[2]))
