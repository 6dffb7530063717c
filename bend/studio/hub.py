"""Everyone who looks: messages from the instrument's thread go to every page, each at its own speed.

A page that is slow misses what is stale by then, and nothing else: of pictures and states only the latest waits for it.
The seat of a page that lets too much else wait is over; it may come anew.
"""

import asyncio
from collections import deque

from bend.studio.message import Message

__all__ = ["Hub", "Seat"]

_MOST_WORDS = 512
_OF_THE_MOMENT = ("frame", "maps", "patch", "state")
"""Kinds of which the latest makes those before it stale."""


class Seat:
    """What waits for one page.

    Attributes:
        watched: taps whose feature maps it shows.
        gesture: number of the last gesture that was heard from it.
    """

    def __init__(self) -> None:
        self.watched: tuple[str, ...] = ()
        self.gesture = 0
        self._words: deque[Message] = deque()
        self._latest: dict[str, Message] = {}
        self._is_over = False
        self._news = asyncio.Event()

    def put(self, message: Message) -> None:
        """Have a message wait; on the event loop."""
        if message.kind in _OF_THE_MOMENT:
            self._latest[message.kind] = message
        elif len(self._words) < _MOST_WORDS:
            self._words.append(message)
        else:
            self._is_over = True
        self._news.set()

    async def take(self) -> Message | None:
        """The next message, words before what is of the moment; None once too many words have waited."""
        while not self._is_over:
            if self._words:
                return self._words.popleft()
            if self._latest:
                return self._latest.pop(next(iter(self._latest)))
            self._news.clear()
            await self._news.wait()
        return None


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

    def heard(self) -> list[int]:
        """The last gesture of every page, by which each knows whether its own have come."""
        return [seat.gesture for seat in tuple(self._seats)]

    def publish(self, message: Message, but: Seat | None = None) -> None:
        """Send to every page, from any thread.

        Args:
            message: words, or words with a picture.
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
