"""Gives memory back that was needed only for a moment, so that an hour of playing holds no more than a minute.

Drawing keeps freed memory to reuse it (`stylegan.allocator`). A throw, a bend of a large neighbourhood or another
network may need many times the memory of a frame, and would otherwise keep it for good.
"""

from stylegan.allocator import give_back_freed_memory

__all__ = ["Tidy"]

_EVERY_S = 10.0


class Tidy:
    """Gives memory back now and then."""

    def __init__(self) -> None:
        self._next = 0.0

    def after_work(self, now: float) -> None:
        """Give memory back, unless that was done a moment ago; `now` is of `time.monotonic`."""
        if now >= self._next:
            self._next = now + _EVERY_S
            give_back_freed_memory()
