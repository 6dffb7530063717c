"""What waits for a page: every word, but only the latest picture and state."""

import asyncio
from collections.abc import Sequence

import pytest

from bend.studio.hub import Seat
from bend.studio.message import Message


def _taken(messages: Sequence[Message], num: int) -> list[Message | None]:
    """What a page gets that comes when all of these are waiting."""

    async def take() -> list[Message | None]:
        seat = Seat()
        for message in messages:
            seat.put(message)
        return [await asyncio.wait_for(seat.take(), 10) for _ in range(num)]

    return asyncio.run(take())


def test_of_pictures_and_states_the_latest_waits_and_of_words_all() -> None:
    kinds = ("frame", "maps", "patch", "state")
    moment = [Message(kind, {"number": number}) for number in range(3) for kind in kinds]
    words = [Message("chance", {"number": number}) for number in range(3)]
    assert _taken([*moment, *words], 7) == [*words, *moment[-4:]]


def test_a_seat_is_over_when_words_would_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bend.studio.hub._MOST_WORDS", 2)
    words = [Message("chance", {"number": number}) for number in range(3)]
    assert _taken(words[:2], 2) == words[:2]
    assert _taken(words, 1) == [None]
