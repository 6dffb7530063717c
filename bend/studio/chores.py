"""Long work on the instrument's own thread, in steps that fit between two frames: chance and the map's background."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bend.studio.message import Message

__all__ = ["Chores"]


@dataclass(slots=True)
class _Chore:
    name: str
    begin: Callable[[], Iterator[Message | None]]
    steps: Iterator[Message | None] | None = None


class Chores:
    """A queue of generators, at most one of each name. Callers hold the instrument's lock, except for `step`."""

    def __init__(self) -> None:
        self._chores: deque[_Chore] = deque()

    def __bool__(self) -> bool:
        return bool(self._chores)

    def add(self, name: str, begin: Callable[[], Iterator[Message | None]]) -> None:
        """Queue a chore in place of an unfinished one of the same name.

        Args:
            name: of the chore.
            begin: gives its steps; called when its turn has come.
        """
        self.drop(name)
        self._chores.append(_Chore(name, begin))

    def drop(self, name: str) -> None:
        """End the chore of that name, if any."""
        self._chores = deque(chore for chore in self._chores if chore.name != name)

    def end_begun(self) -> list[str]:
        """End the chores that have begun; gives their names."""
        begun = [chore.name for chore in self._chores if chore.steps is not None]
        for name in begun:
            self.drop(name)
        return begun

    def step(self) -> Message | None:
        """Do one step of the first chore; gives its message, if any, and `finished` after the last step.

        Raises:
            Exception: whatever the step raised; the next one is the chore's last.
        """
        chore = next(iter(self._chores), None)
        if chore is None:
            return None
        try:
            if chore.steps is None:
                chore.steps = chore.begin()
            return next(chore.steps)
        except StopIteration:
            if chore in self._chores:
                self._chores.remove(chore)
            return Message("finished", {"what": chore.name})
        except Exception:
            chore.steps = iter(())
            raise
