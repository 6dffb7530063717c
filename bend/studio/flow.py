"""When the next frame is due: at most 40 a second, no faster than pages show them, and a last whole one at rest.

Nothing is drawn while nobody looks, and frames do not pile up at a slow page. All times are those of `time.monotonic`;
callers hold the instrument's lock.
"""

__all__ = ["FASTEST_S", "Flow"]

FASTEST_S = 1 / 40
"""The least seconds from one frame to the next."""
_REST_S = 0.18
"""Seconds without a gesture after which the whole picture is drawn."""
_IN_FLIGHT = 3
_LOST_S = 1.0
"""Seconds after which a page that does not answer is taken to have lost its frames."""
_IDLE_NAP_S = 0.5


class Flow:
    """What was sent and shown, and so whether a frame is due.

    Attributes:
        sent: number of the last frame.
        shown: number of the last frame that a page has shown.
        audience: number of open pages.
    """

    def __init__(self) -> None:
        self.sent = self.shown = self.audience = 0
        self._sent_at = self._gesture_at = 0.0
        self._is_dirty = True
        self._is_whole = False

    def touch(self) -> None:
        """The last frame is out of date."""
        self._is_dirty = True

    def gesture(self, now: float) -> None:
        """The player has moved something."""
        self._gesture_at = now
        self._is_dirty = True
        self._is_whole = False

    def seat(self, change: int) -> None:
        """Pages have come (positive) or gone (negative); those that are there want a picture."""
        self.audience += change
        self.shown = self.sent
        self._is_dirty = True
        self._is_whole = False

    def has_shown(self, number: int) -> None:
        """A page says that it has shown that frame; numbers that were not sent yet do not count."""
        self.shown = max(self.shown, min(number, self.sent))

    def is_due(self, now: float, *, moves: bool) -> bool:
        """Whether to draw now; `moves` says whether the patch changes by itself."""
        if now - self._sent_at < FASTEST_S:
            return False
        if self.sent - self.shown >= _IN_FLIGHT and now - self._sent_at < _LOST_S:
            return False
        return self._is_dirty or moves or self.rests(now)

    def rests(self, now: float) -> bool:
        """Whether the player has paused and the whole picture has not been drawn since."""
        return not self._is_whole and now - self._gesture_at > _REST_S

    def is_played(self, now: float) -> bool:
        """Whether the player is moving something right now, so that other work should wait."""
        return now - self._gesture_at < _REST_S / 2

    def nap(self, *, moves: bool) -> float:
        """Seconds to sleep before asking again, unless something happens."""
        return FASTEST_S / 2 if moves or not self._is_whole else _IDLE_NAP_S

    def begin(self, now: float, *, moves: bool) -> bool:
        """Drawing begins; gives whether to draw the whole picture."""
        self._is_dirty = False
        return self.rests(now) and not moves

    def send(self, began: float, *, is_whole: bool) -> int:
        """A frame whose drawing began at `began` is sent; gives its number."""
        self.sent += 1
        self._sent_at = began
        # A gesture that came meanwhile wants another frame.
        self._is_whole = is_whole and not self._is_dirty
        return self.sent
