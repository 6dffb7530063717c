"""The studio as an attacker sees it: every address and every message, with content that does not belong there."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from bend.studio.actions import ACTIONS, Studio
from bend.studio.app import make_app
from bend.studio.config import StudioConfig
from tests.bend.studio.conftest import TOKEN, Player
from tests.bend.studio.own_process import studio_process

ADDRESSES = ["/", "/start", "/picture.png", "/recipe", "/takes/a.zip", "/takes/a.mp4", "/runs/a/reals.png"]
CLIMBS = [
    "..",
    "../..",
    "../../secret",
    "..%2f..%2fsecret",
    "..\\secret",
    "/etc/passwd",
    "%00",
    ".",
    "run:../secret",
]


@pytest.fixture
def stranger(studio: Studio) -> Iterator[TestClient]:
    """A browser that does not know the token."""
    with TestClient(make_app(studio, token=TOKEN, hosts=["testserver"])) as opened:
        yield opened


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_address_answers_without_all_three(stranger: TestClient, address: str) -> None:
    known = {"cookie": f"bend-studio-testserver={TOKEN}"}
    for headers in (
        {},
        {"cookie": "bend-studio-testserver="},
        {"cookie": f"bend-studio-testserver={TOKEN[:-1]}"},
        known | {"origin": "http://evil.example"},
        known | {"origin": "null"},
        known | {"origin": "https://testserver.evil.example"},
        known | {"host": "evil.example"},
        known | {"host": "rebound.evil.example:80", "origin": "http://rebound.evil.example:80"},
    ):
        answer = stranger.get(address, headers=headers)
        assert answer.status_code == 403, (headers, answer.text)
        assert answer.text.count("\n") == 1
        assert "set-cookie" not in answer.headers


def test_the_socket_wants_all_three_too(stranger: TestClient) -> None:
    known = {"cookie": f"bend-studio-testserver={TOKEN}"}
    for headers in ({}, known | {"origin": "http://evil.example"}, known | {"host": "evil.example"}):
        with (
            pytest.raises(WebSocketDisconnect),
            stranger.websocket_connect("/live", headers=headers) as socket,
        ):
            socket.receive()


@pytest.mark.parametrize("climb", CLIMBS)
def test_no_name_climbs_out_of_its_folder(client: TestClient, config: StudioConfig, climb: str) -> None:
    secret = config.runs.parent / "secret"
    for folder in (secret, config.runs / "run", config.out / "takes" / "take"):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("reals.png", "recipe.toml", "secret.mp4", "path.npz"):
        (secret / name).write_text("secret")
    quoted = climb.replace("/", "%2f")
    for address in (
        f"/takes/{quoted}.zip",
        f"/takes/{quoted}.mp4",
        f"/takes/take%2f{quoted}.zip",
        f"/runs/{quoted}/reals.png",
        f"/runs/run/{quoted}",
        f"/runs/run/{quoted}%2freals.png",
        f"/assets/{quoted}",
        f"/assets/{quoted}/app.py",
        f"/{quoted}",
    ):
        answer = client.get(address)
        assert "secret" not in answer.text or "there is no" in answer.text or "has no" in answer.text, address
        assert answer.status_code in (404, 405) or answer.url.path == "/", (address, answer.status_code)


@pytest.mark.parametrize("climb", CLIMBS)
def test_no_message_names_a_file(player: Player, config: StudioConfig, climb: str) -> None:
    before = _files(config)
    module = {"key": "k", "name": "invert", "values": [], "tap": "b16.conv1"}
    for message in (
        {"do": "play", "patch": {"network": climb}},
        {"do": "play", "patch": {"modules": [module | {"mask": climb}]}},
        {"do": "play", "patch": {"modules": [module | {"mask": f"~{climb}"}]}},
        {"do": "play", "patch": {"modules": [module | {"channels": climb}]}},
        {"do": "play", "patch": {"trunc": climb}},
        {"do": "play", "patch": {"dial": {"base": climb}}},
        {"do": "render-take", "name": climb},
        {"do": "keep-preset", "name": climb},
        {"do": "resume", "run": climb},
        {"do": "train", "answers": {"base": climb, "data": "bundled photos", "kimg": 1}},
        {"do": "train", "answers": {"base": config.network, "data": climb, "kimg": 1}},
        {"do": "train", "answers": {"base": "faces64", "data": climb, "kimg": 1, "snapshots": climb}},
    ):
        player.say(**message)
        told = player.kind("trouble")[0]["text"]
        assert "\n" not in told, message
    assert _files(config) == before


HUGE = 10**400
NONSENSE: list[Any] = [
    None,
    7,
    "play",
    [],
    {},
    {"do": None},
    {"do": []},
    {"do": {"do": "play"}},
    {"do": "__class__"},
    {"do": "play"},
    {"do": "play", "patch": []},
    {"do": "play", "patch": {"place": {"x": HUGE}}},
    {"do": "play", "patch": {"place": {"seeds": [HUGE, 0, 0]}}},
    {"do": "play", "patch": {"place": {"seeds": [[], {}, None]}}},
    {"do": "play", "patch": {"place": {"to": {"to": {}}}}},
    {"do": "play", "patch": {"wander": {"speed": -HUGE}}},
    {"do": "play", "patch": {"trunc": HUGE}},
    {"do": "play", "patch": {"trunc": "lfo(sine,0..1,0s)"}},
    {"do": "play", "patch": {"weights": []}},
    {"do": "play", "patch": {"class_index": HUGE}},
    {"do": "play", "patch": {"kimg": {}}},
    {"do": "play", "patch": {"modules": [{}] * 33}},
    {"do": "play", "patch": {"modules": [{"name": []}]}},
    {"do": "play", "patch": {"modules": [{"name": "invert", "tap": "x" * 1000}]}},
    {"do": "play", "patch": {"modules": [{"name": "blur", "values": [HUGE], "tap": "b16.conv1"}]}},
    {"do": "play", "patch": {"modules": [{"name": "invert", "tap": "b16.conv1", "channels": f"0-{10**18}"}]}},
    {"do": "play", "patch": {}, "gesture": HUGE},
    {"do": "play", "patch": {}, "gesture": "1"},
    {"do": "shown", "number": -1},
    {"do": "watch", "taps": [1]},
    {"do": "roll", "num": HUGE},
    {"do": "roll", "num": 2, "parents": [{}] * 17},
    {"do": "roll", "num": 2, "parents": ["x"]},
    {"do": "film", "seconds": HUGE},
    {"do": "keep-preset", "name": "\ud800"},
    {"do": "keep-preset", "name": "x" * 61},
    {"do": "train", "answers": {"base": "faces64", "data": "bundled photos", "kimg": "nan"}},
    {"do": "train", "answers": {"base": "faces64", "data": "bundled photos", "kimg": 1, "aug": ["--out"]}},
    {"do": "stop-job", "number": HUGE},
]


def test_nonsense_gets_one_line_each_and_hurts_nobody(client: TestClient, player: Player) -> None:
    patch = client.get("/start").json()["patch"]
    for nonsense in NONSENSE:
        player._socket.send_json(nonsense)
        told = player.kind("trouble")[0]["text"]
        assert "\n" not in told
        assert len(told) < 400, nonsense
    for text in (
        "",
        "{",
        "[" * 100_000,
        "NaN(",
        '{"do": "play", "patch": ' + "9" * 5000 + "}",
        "x" * 300_000,
    ):
        player._socket.send_text(text)
        assert player.kind("trouble")
    player._socket.send_bytes(b"\x00\xff")
    assert "bytes" in player.kind("trouble")[0]["text"]
    player.picture(patch)


def test_the_nonsense_names_every_word_that_takes_something() -> None:
    without_arguments = {"graph", "refresh", "clusters", "ground", "record", "end-record", "stop-roll"}
    tried = {
        message["do"]
        for message in NONSENSE
        if isinstance(message, dict) and str(message.get("do")) in ACTIONS
    }
    assert tried | without_arguments | {"drop-preset", "render-take", "resume"} == set(ACTIONS)


def test_two_pages_watch_what_each_of_them_shows(client: TestClient, player: Player) -> None:
    player.say(do="watch", taps=["b8.conv1"])
    player.until(lambda meta: meta["kind"] == "maps" and meta["order"] == ["b8.conv1"])
    with client.websocket_connect("/live") as socket:
        other = Player(socket)
        other.say(do="watch", taps=["b16.conv1"])
        other.until(lambda meta: meta["kind"] == "maps" and set(meta["order"]) == {"b8.conv1", "b16.conv1"})
        other.say(do="watch", taps=[])
        player.until(lambda meta: meta["kind"] == "maps" and meta["order"] == ["b8.conv1"])
    player.say(do="watch", taps=["b8.conv1", "b8.conv0"])
    player.until(lambda meta: meta["kind"] == "maps" and meta["order"] == ["b8.conv1", "b8.conv0"])


@pytest.mark.slow
def test_a_real_server_outlives_floods_and_giants(tmp_path: Path, tiny_network: Path) -> None:
    cache = str(tmp_path / "cache")
    with studio_process(tmp_path, tiny_network, XDG_CACHE_HOME=cache) as (process, port, token):
        address = f"ws://127.0.0.1:{port}/live?token={token}"
        with connect(address, max_size=None) as giant:
            giant.send("x" * 1_000_000)
            with pytest.raises(ConnectionClosed):
                while True:
                    giant.recv(timeout=120)
        # It is disconnected as soon as too many answers are waiting for it.
        with contextlib.suppress(ConnectionClosed), connect(address, max_size=None) as flood:
            for number in range(3000):
                flood.send(f'{{"do": "graph", "number": {number}}}')
        with connect(address, max_size=None) as calm:
            calm.send('{"do": "graph"}')
            while '"kind": "graph"' not in str(calm.recv(timeout=120)):
                pass
        process.terminate()
        assert process.wait(timeout=300) == 143


def _files(config: StudioConfig) -> set[Path]:
    return {path for folder in (config.out, config.runs) for path in folder.rglob("*") if path.is_file()}
