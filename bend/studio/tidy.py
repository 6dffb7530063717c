"""Memory that was needed for a moment is given back, so that an hour of playing holds no more than a minute.

Drawing keeps freed memory to use it again (`stylegan.allocator`). Between two frames a throw of the dice, a bend by a
large neighbourhood or another network may take many times what a frame does, and would hold it for good.
"""

from stylegan.allocator import give_back_freed_memory

__all__ = ["Tidy"]

_EVERY_S = 10.0


class Tidy:
    """Gives back now and then, by whoever works."""

    def __init__(self) -> None:
        self._next = 0.0

    def after_work(self, now: float) -> None:
        """Something was drawn; `now` is of `time.monotonic`."""
        if now >= self._next:
            self._next = now + _EVERY_S
            give_back_freed_memory()
