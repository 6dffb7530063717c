"""A page without a browser: its socket, its state and its history, for scripts that play the studio.

It acknowledges frames as the page does, and opens a new socket when one is lost.
"""

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import requests
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

__all__ = ["Player"]

GESTURE_S = 1 / 60
PATIENCE_S = 30.0
MOST_STEPS = 200


class Player:
    """The page: its socket, its state, its history.

    Args:
        address: of the studio, with its token.
        seed: of its random choices.

    Attributes:
        frames: shown so far.
        played: how often each action was played.
        troubles: what the server refused, by text.
        connected: how often it connected.
    """

    def __init__(self, address: str, *, seed: int) -> None:
        self._base, _, self._token = address.partition("/?token=")
        self._web = requests.Session()
        self.dice = random.Random(seed)
        self.frames = 0
        self.played: Counter[str] = Counter()
        self.troubles: Counter[str] = Counter()
        self.connected = 0
        self.start: dict[str, Any] = {}
        self.patch: dict[str, Any] = {}
        self.chances: list[dict[str, Any]] = []
        self.shelf: dict[str, Any] = {}
        self._past: list[str] = []
        self._future: list[str] = []
        self._gesture = 0
        self._rests_at = -1
        self._socket: ClientConnection | None = None
        self._news = asyncio.Event()
        self._heard: Counter[str] = Counter()

    async def begin(self) -> None:
        """Open the page."""
        self.start = json.loads(await self.get(f"/?token={self._token}", "/start"))
        self.patch, self.shelf = self.start["patch"], self.start["state"]
        self._listening = asyncio.create_task(self._listen())
        await self._wait(lambda: self._socket is not None)

    async def end(self) -> None:
        """Close it."""
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def get(self, *paths: str) -> bytes:
        """Ask these addresses one by one; returns the last one's answer, empty where it was refused or too late."""
        data = b""
        for path in paths:
            try:
                answer = await asyncio.to_thread(self._web.get, self._base + path, timeout=PATIENCE_S * 5)
                answer.raise_for_status()
                data = answer.content
            except requests.RequestException as error:
                self.troubles[type(error).__name__] += 1
                data = b""
        return data

    async def say(self, do: str, **message: Any) -> None:
        """Send a message; without a connection it is lost, as the page's are."""
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._socket.send(json.dumps({"do": do, **message}))

    async def ask(self, kind: str, do: str, **message: Any) -> None:
        """Send a message, and wait for an answer of that kind, or for a refusal."""
        before = self._heard[kind] + self._heard["trouble"]
        await self.say(do, **message)
        await self._wait(lambda: self._heard[kind] + self._heard["trouble"] > before)

    async def gesture(self) -> None:
        """Send the patch."""
        self._gesture += 1
        await self.say("play", patch=self.patch, gesture=self._gesture)
        await asyncio.sleep(GESTURE_S)

    async def rest(self) -> None:
        """Wait until the patch is shown in full, a while if it moves, or for a refusal; adds a step to the history."""
        before = self._heard["trouble"]
        if self.patch["wander"]["on"] or "lfo" in json.dumps(self.patch):
            await self.shown(10)
        else:
            await self._wait(lambda: self._rests_at == self._gesture or self._heard["trouble"] > before, 3.0)
        self._past = [*self._past[-MOST_STEPS:], json.dumps(self.patch)]
        self._future = []

    async def shown(self, num: int) -> None:
        """Wait for that many frames, or for a refusal."""
        wanted, before = self.frames + num, self._heard["trouble"]
        await self._wait(lambda: self.frames >= wanted or self._heard["trouble"] > before, 10.0)

    async def change(self, **parts: Any) -> None:
        """Change parts of the patch in one gesture, and wait for its picture."""
        self.patch |= parts
        await self.gesture()
        await self.rest()

    async def undo(self) -> None:
        """Go one step back."""
        if len(self._past) > 1:
            self._future.append(self._past.pop())
            self.patch = json.loads(self._past[-1])
            await self.gesture()

    async def redo(self) -> None:
        """Go one step forward."""
        if self._future:
            self._past.append(self._future.pop())
            self.patch = json.loads(self._past[-1])
            await self.gesture()

    async def reconnect(self) -> None:
        """Disconnect, and connect again."""
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.close()
        await self._wait(lambda: self._socket is not None)

    def open(self) -> Any:
        """Another socket."""
        address = f"{self._base.replace('http:', 'ws:')}/live?token={self._token}"
        return connect(address, max_size=None, ping_interval=None, close_timeout=5)

    def taps(self, *kinds: str) -> list[str]:
        """Places in the network."""
        return [layer["tap"] for layer in self.start["graph"]["layers"] if layer["kind"] in kinds]

    def module(self) -> dict[str, Any]:
        """A bend at random, as the page puts one into the rack."""
        bend = self.dice.choice(self.start["bends"])
        places = self.taps(*bend["kinds"]) or self.taps("conv")
        values = [
            self.dice.choice([str(one["example"]), f"{self.dice.uniform(one['low'], one['high']):.3f}"])
            if not one["is_whole"]
            else str(one["example"])
            for one in bend["parameters"]
        ]
        return {
            "key": f"k{self.dice.randrange(10**9)}",
            "on": True,
            "name": bend["name"],
            "values": values,
            "tap": self.dice.choice(places),
            "channels": self.dice.choice(
                ["all", "random:0.3:seed7", "all" if bend["family"] == "weights" else "top:8"]
            ),
            "mask": self.dice.choice(["", "", "ellipse:0.5,0.5,0.3,0.3", "rect:0.1,0.1,0.4,0.5"])
            if bend["is_spatial"]
            else "",
            "soft": 0.05,
            "mix": self.dice.choice(["1", "1", "0.5", "lfo(sine,0..1,2s)"]),
            "edge": self.start["edges"][0],
        }

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(OSError, ConnectionClosed, TimeoutError):
                async with self.open() as socket:
                    self._socket = socket
                    self.connected += 1
                    await self.say("refresh")
                    self._news.set()
                    async for data in socket:
                        await self._hear(data)
            self._socket = None
            await asyncio.sleep(0.3)

    async def _hear(self, data: str | bytes) -> None:
        if isinstance(data, bytes):
            length = int.from_bytes(data[:4], "big")
            meta = json.loads(data[4 : 4 + length])
        else:
            meta = json.loads(data)
        kind = meta["kind"]
        if kind == "frame":
            self.frames += 1
            if meta["is_whole"]:
                self._rests_at = meta["gesture"]
            await self.say("shown", number=meta["number"])
        elif kind == "chance":
            self.chances = [*self.chances[-63:], meta]
        elif kind == "state":
            self.shelf = meta
        elif kind == "trouble":
            self.troubles[meta["text"]] += 1
        elif kind == "opened":
            await self.say("graph")
        self._heard[kind] += 1
        self._news.set()

    async def _wait(self, claim: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
        """Wait until a claim holds, but not for ever: a lost answer must not end an hour's play."""
        ends = time.monotonic() + seconds
        while not claim() and time.monotonic() < ends:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.25):
                    await self._news.wait()
