"""The web socket for playing: requests of a page come in, messages go out.

The two directions run side by side, so that a gesture never waits for a picture. A request that only leaves a note for
the instrument is done at once; one that waits for it or writes files is done on a thread.
"""

import asyncio
import contextlib
import json
import logging
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketState

from bend.errors import BendError, SettingsError
from bend.studio.actions import BUSY, Studio, act
from bend.studio.hub import Seat
from bend.studio.message import Message, told_of
from stylegan.errors import StyleganError

__all__ = ["LONGEST_MESSAGE", "live"]

LONGEST_MESSAGE = 1 << 18
"""Bytes of the longest message of a page."""
_MOST_AT_ONCE = 64
"""The most requests of a page that may be unanswered."""
_QUICK = ("play", "shown", "watch", "stop-roll")
"""Requests that are done at once, on the event loop, since they only leave a note for the instrument."""
_IN_TURN = ("record", "end-record")
"""Requests that are done on threads, but in the order in which they came."""
_log = logging.getLogger(__name__)


async def live(socket: WebSocket) -> None:
    """Serve one page until it disconnects."""
    studio: Studio = socket.app.state.studio
    await socket.accept()
    seat = studio.hub.join()
    studio.instrument.seat(+1)
    sending = asyncio.create_task(_send(socket, seat))
    try:
        await _receive(socket, studio, seat)
    finally:
        studio.instrument.seat(-1)
        studio.hub.leave(seat)
        studio.instrument.watch(studio.hub.watched())
        sending.cancel()
        # Not `gather`, which may replace a cancellation of this very task by one without its reason.
        await asyncio.wait([sending])
        if not sending.cancelled():
            sending.exception()  # marked as seen: sending failed because the page has gone


async def _send(socket: WebSocket, seat: Seat) -> None:
    while socket.client_state is WebSocketState.CONNECTED:
        message = await seat.take()
        if message is None:
            await socket.close(1013, "too much was waiting")
            return
        encoded = message.encoded()
        if isinstance(encoded, bytes):
            await socket.send_bytes(encoded)
        else:
            await socket.send_text(encoded)


async def _receive(socket: WebSocket, studio: Studio, seat: Seat) -> None:
    slow: set[asyncio.Task[None]] = set()
    turn = asyncio.Lock()
    try:
        while True:
            received = await socket.receive()
            if received["type"] == "websocket.disconnect":
                return
            try:
                message = _read(received.get("text"))
            except SettingsError as error:
                seat.put(_trouble(str(error)))
                continue
            word = message.get("do") if isinstance(message, dict) else None
            if word in _QUICK:
                _answer(studio, seat, message)
            elif len(slow) >= _MOST_AT_ONCE:
                seat.put(_trouble("the page asked for too much at once; wait a little"))
            else:
                work = _at_leisure(studio, seat, message, turn if word in _IN_TURN else None)
                task = asyncio.create_task(work)
                slow.add(task)
                task.add_done_callback(slow.discard)
    finally:
        if slow:
            await asyncio.wait(slow, timeout=1)


async def _at_leisure(studio: Studio, seat: Seat, message: Any, turn: asyncio.Lock | None) -> None:
    """Answer on a thread, after those before it if it has to wait for its turn."""
    async with turn or contextlib.nullcontext():
        await run_in_threadpool(_answer, studio, seat, message)


def _read(text: str | None) -> Any:
    """Parse a message of a page."""
    if text is None or len(text) > LONGEST_MESSAGE:
        raise SettingsError("the page sent bytes, or too much at once; reload it")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise SettingsError("the page sent something that is not JSON; reload it") from None


def _answer(studio: Studio, seat: Seat, message: Any) -> None:
    """Do what a message asks for, and send the answer or the error."""
    try:
        answer = act(studio, seat, message)
    except (BendError, StyleganError) as error:
        answer = _trouble(str(error))
    except TimeoutError:  # a kind of OSError, so it comes first
        answer = _trouble(BUSY)
    except OSError as error:
        answer = _trouble(told_of(error))
    except Exception as error:  # noqa: BLE001  one message must not end the play
        _log.exception("a message of a page")
        answer = _trouble(f"that cannot be done: {type(error).__name__}")
    if answer is not None:
        studio.hub.tell(seat, answer)


def _trouble(text: str) -> Message:
    return Message("trouble", {"text": text})
