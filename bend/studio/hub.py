"""Delivers messages from the instrument's thread to every page, each at its own speed.

A slow page misses only what is out of date: of pictures and states, only the latest waits for it. If too many other
messages wait, the page is disconnected, and may connect again.
"""

import asyncio
from collections import deque

from bend.studio.message import Message

__all__ = ["Hub", "Seat"]

_MOST_WORDS = 512
_OF_THE_MOMENT = ("frame", "maps", "patch", "state")
"""Kinds of messages of which only the latest counts."""


class Seat:
    """The messages that wait for one page.

    Attributes:
        watched: taps whose feature maps it shows.
        gesture: number of the last gesture that was received from it.
    """

    def __init__(self) -> None:
        self.watched: tuple[str, ...] = ()
        self.gesture = 0
        self._words: deque[Message] = deque()
        self._latest: dict[str, Message] = {}
        self._is_over = False
        self._news = asyncio.Event()

    def put(self, message: Message) -> None:
        """Queue a message. Call this on the event loop."""
        if message.kind in _OF_THE_MOMENT:
            self._latest[message.kind] = message
        elif len(self._words) < _MOST_WORDS:
            self._words.append(message)
        else:
            self._is_over = True
        self._news.set()

    async def take(self) -> Message | None:
        """The next message, those of which every one counts first; None once too many have waited."""
        while not self._is_over:
            if self._words:
                return self._words.popleft()
            if self._latest:
                return self._latest.pop(next(iter(self._latest)))
            self._news.clear()
            await self._news.wait()
        return None


class Hub:
    """The seats of all pages."""

    def __init__(self) -> None:
        self._seats: set[Seat] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Start delivering. Call this on the event loop."""
        self._loop = asyncio.get_running_loop()

    def join(self) -> Seat:
        """A seat for a new page."""
        seat = Seat()
        self._seats.add(seat)
        return seat

    def leave(self, seat: Seat) -> None:
        """Remove the seat of a page that has gone."""
        self._seats.discard(seat)

    def watched(self) -> tuple[str, ...]:
        """The taps that any page shows, each once."""
        return tuple(dict.fromkeys(name for seat in tuple(self._seats) for name in seat.watched))

    def heard(self) -> list[int]:
        """The last gesture of every page, by which a page knows whether its own were received."""
        return [seat.gesture for seat in tuple(self._seats)]

    def publish(self, message: Message, but: Seat | None = None) -> None:
        """Send to every page, from any thread.

        Args:
            message: to send.
            but: a seat that is left out.
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
