"""When the next frame is due: as fast as eyes see, no faster than pages show them, and once more, whole, at rest.

Nothing is drawn that nobody looks at, and a page that shows frames slowly is not buried under them. All times are those
of `time.monotonic`; whoever asks holds the lock.
"""

__all__ = ["FASTEST_S", "Flow"]

FASTEST_S = 1 / 40
"""Seconds from one frame to the next, at least."""
_REST_S = 0.18
"""Seconds without a gesture after which the whole picture is drawn."""
_IN_FLIGHT = 3
_LOST_S = 1.0
"""Seconds after which a page that does not answer is taken to have lost its frames."""
_IDLE_NAP_S = 0.5


class Flow:
    """What was sent and shown, and what follows from it.

    Attributes:
        sent: number of the last frame.
        shown: number of the last frame that a page has shown.
        audience: pages that look.
    """

    def __init__(self) -> None:
        self.sent = self.shown = self.audience = 0
        self._sent_at = self._gesture_at = 0.0
        self._is_dirty = True
        self._is_whole = False

    def touch(self) -> None:
        """What was sent is no longer what is."""
        self._is_dirty = True

    def gesture(self, now: float) -> None:
        """A hand has moved something."""
        self._gesture_at = now
        self._is_dirty = True
        self._is_whole = False

    def seat(self, change: int) -> None:
        """Pages have come (positive) or gone; those that are there want a picture."""
        self.audience += change
        self.shown = self.sent
        self._is_dirty = True
        self._is_whole = False

    def has_shown(self, number: int) -> None:
        """A page has shown that frame; none can have shown what was not sent."""
        self.shown = max(self.shown, min(number, self.sent))

    def is_due(self, now: float, *, moves: bool) -> bool:
        """Whether to draw, where something `moves` by itself or nothing does."""
        if now - self._sent_at < FASTEST_S:
            return False
        if self.sent - self.shown >= _IN_FLIGHT and now - self._sent_at < _LOST_S:
            return False
        return self._is_dirty or moves or self.rests(now)

    def rests(self, now: float) -> bool:
        """Whether the hand has stopped, and the whole picture was not drawn since."""
        return not self._is_whole and now - self._gesture_at > _REST_S

    def is_played(self, now: float) -> bool:
        """Whether the hand is moving: what is not urgent waits."""
        return now - self._gesture_at < _REST_S / 2

    def nap(self, *, moves: bool) -> float:
        """Seconds after which to look again, unless something happens."""
        return FASTEST_S / 2 if moves or not self._is_whole else _IDLE_NAP_S

    def begin(self, now: float, *, moves: bool) -> bool:
        """A frame is being drawn; gives whether it is to be a whole one."""
        self._is_dirty = False
        return self.rests(now) and not moves

    def send(self, began: float, *, is_whole: bool) -> int:
        """It was drawn, from `began` on; gives its number."""
        self.sent += 1
        self._sent_at = began
        # A gesture that came while it was drawn wants another.
        self._is_whole = is_whole and not self._is_dirty
        return self.sent
