"""A studio on a tiny network, and a page that plays it over the socket without a browser."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketTestSession

from bend.studio.actions import Studio
from bend.studio.app import make_app, open_studio
from bend.studio.config import StudioConfig
from bend.studio.shelf import Shelf
from bend.studio.stage import Stage

TOKEN = "open-sesame"


class Player:
    """What a page does, in a few words."""

    def __init__(self, socket: WebSocketTestSession) -> None:
        self._socket = socket
        self._gesture = 0

    def say(self, **message: Any) -> None:
        """Send a message."""
        self._socket.send_json(message)

    def hear(self) -> tuple[dict[str, Any], bytes]:
        """The next message and its picture; every frame is acknowledged."""
        message = self._socket.receive()
        if message.get("bytes") is None:
            return json.loads(message["text"]), b""
        data = message["bytes"]
        length = int.from_bytes(data[:4], "big")
        meta = json.loads(data[4 : 4 + length])
        if meta["kind"] == "frame":
            self.say(do="shown", number=meta["number"])
        return meta, data[4 + length :]

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> tuple[dict[str, Any], bytes]:
        """The first message that is wanted."""
        for _ in range(2000):
            meta, data = self.hear()
            if wanted(meta):
                return meta, data
        raise AssertionError("it never came")

    def kind(self, kind: str) -> tuple[dict[str, Any], bytes]:
        """The first message of a kind."""
        return self.until(lambda meta: meta["kind"] == kind)

    def play(self, patch: dict[str, Any]) -> int:
        """Send a patch; returns the gesture's number."""
        self._gesture += 1
        self.say(do="play", patch=patch, gesture=self._gesture)
        return self._gesture

    def picture(self, patch: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Send a patch, and wait for its whole picture."""
        gesture = self.play(patch)
        return self.until(
            lambda meta: meta["kind"] == "frame" and meta["gesture"] == gesture and meta["is_whole"]
        )


@pytest.fixture
def config(tmp_path: Path, tiny_network: Path) -> StudioConfig:
    """A studio in a folder of its own."""
    return StudioConfig(
        network=str(tiny_network), runs=tmp_path / "runs", out=tmp_path / "studio", device="cpu", port=0
    )


@pytest.fixture
def studio(config: StudioConfig) -> Iterator[Studio]:
    """That studio, without its server."""
    opened = open_studio(config)
    yield opened
    opened.instrument.close()
    opened.jobs.close()


@pytest.fixture
def stage(config: StudioConfig) -> Stage:
    """The network of that studio."""
    shelf = Shelf(config)
    return Stage(shelf, shelf.first, device="cpu")


@pytest.fixture
def client(config: StudioConfig) -> Iterator[TestClient]:
    """A browser that knows the token."""
    app = make_app(open_studio(config), token=TOKEN, hosts=["testserver"])
    with TestClient(app, cookies={"bend-studio-testserver": TOKEN}) as opened:
        yield opened


@pytest.fixture
def player(client: TestClient) -> Iterator[Player]:
    """A page that has connected."""
    with client.websocket_connect("/live") as socket:
        yield Player(socket)


def eventually(claim: Callable[[], bool], seconds: float = 300.0) -> None:
    """Wait until a claim holds."""
    ends = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < ends, "it never came true"
        time.sleep(0.02)
