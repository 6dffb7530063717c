"""Everyone who looks: messages from the instrument's thread go to every page, each at its own speed.

A page that is slow loses frames, never words: of frames only the latest waits for it.
"""

import asyncio
from collections import deque

from bend.studio.instrument import Message

__all__ = ["Hub", "Seat"]

_MOST_WORDS = 512


class Seat:
    """What waits for one page.

    Attributes:
        watched: taps whose feature maps it shows.
    """

    def __init__(self) -> None:
        self.watched: tuple[str, ...] = ()
        self._words: deque[Message] = deque(maxlen=_MOST_WORDS)
        self._frame: bytes | None = None
        self._news = asyncio.Event()

    def put(self, message: Message) -> None:
        """Have a message wait; on the event loop."""
        if isinstance(message, bytes) and b'"kind": "frame"' in message[:64]:
            self._frame = message
        else:
            self._words.append(message)
        self._news.set()

    async def take(self) -> Message:
        """The next message, words before pictures."""
        while True:
            if self._words:
                return self._words.popleft()
            if self._frame is not None:
                frame, self._frame = self._frame, None
                return frame
            self._news.clear()
            await self._news.wait()


class Hub:
    """All seats."""

    def __init__(self) -> None:
        self._seats: set[Seat] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Begin, on the event loop."""
        self._loop = asyncio.get_running_loop()

    def join(self) -> Seat:
        """A seat for a page that has come."""
        seat = Seat()
        self._seats.add(seat)
        return seat

    def leave(self, seat: Seat) -> None:
        """A page has gone."""
        self._seats.discard(seat)

    def watched(self) -> tuple[str, ...]:
        """Taps that some page shows, each once."""
        return tuple(dict.fromkeys(name for seat in tuple(self._seats) for name in seat.watched))

    def publish(self, message: Message, but: Seat | None = None) -> None:
        """Send to every page, from any thread.

        Args:
            message: JSON, or an envelope with a picture.
            but: a seat that knows already.
        """
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, message, but)

    def tell(self, seat: Seat, message: Message) -> None:
        """Send to one page, from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(seat.put, message)

    def _deliver(self, message: Message, but: Seat | None) -> None:
        for seat in self._seats:
            if seat is not but:
                seat.put(message)
