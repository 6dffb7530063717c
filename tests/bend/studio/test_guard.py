"""Who is let in."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from bend.studio.guard import LOOPBACK, Guard, cookie_name

TOKEN = "open-sesame"
_SOCKET = "ws://127.0.0.1:8765/live"


async def _hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def _live(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


@pytest.fixture
def client() -> TestClient:
    routes = [
        Route("/", _hello),
        Route("/start", _hello),
        Route("/assets/studio.js", _hello),
        WebSocketRoute("/live", _live),
    ]
    return TestClient(
        Guard(Starlette(routes=routes), token=TOKEN, hosts=LOOPBACK), base_url="http://127.0.0.1:8765"
    )


def test_the_token_opens_by_address_and_then_by_cookie(client: TestClient) -> None:
    refused = client.get("/start")
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    page = client.get(f"/?token={TOKEN}")
    assert page.status_code == 200
    cookie = page.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/start").status_code == 200
    for answer in (refused, page):
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_studios_at_two_ports_do_not_turn_one_another_out(client: TestClient) -> None:
    client.get(f"/?token={TOKEN}")
    other = Guard(Starlette(routes=[Route("/", _hello)]), token="another", hosts=LOOPBACK)
    with TestClient(other, base_url="http://127.0.0.1:9000", cookies=client.cookies) as neighbour:
        assert neighbour.get("/").status_code == 403
        assert neighbour.get("/?token=another").status_code == 200
        client.cookies = neighbour.cookies  # a browser has one jar for all ports
    assert client.get("/start").status_code == 200


@pytest.mark.parametrize(
    "other", ['theme={"dark": true}', "a[0]=b", "flag", "name@host=1", "path=/", '"', ""]
)
def test_cookies_of_other_servers_on_this_machine_do_not_hide_the_token(
    client: TestClient, other: str
) -> None:
    mine = f"{cookie_name('127.0.0.1:8765')}={TOKEN}"
    for cookies in (f"{other}; {mine}", f"{mine}; {other}"):
        assert client.get("/start", headers={"cookie": cookies}).status_code == 200, cookies


@pytest.mark.parametrize("token", ["", "open", "open-sesame2", "öffne"])
def test_another_token_does_not(client: TestClient, token: str) -> None:
    assert client.get("/start", params={"token": token}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "[::1"])
def test_a_foreign_name_that_leads_here_does_not(client: TestClient, host: str) -> None:
    assert client.get(f"/start?token={TOKEN}", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1:8765", "[::1]:8765", "LOCALHOST"])
def test_loopback_by_any_name_and_port_does(client: TestClient, host: str) -> None:
    assert client.get(f"/start?token={TOKEN}", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8765", 200),
        ("http://127.0.0.1:9999", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
def test_only_the_own_page_asks(client: TestClient, origin: str, status: int) -> None:
    assert client.get(f"/start?token={TOKEN}", headers={"origin": origin}).status_code == status


def test_the_pages_own_files_need_no_token(client: TestClient) -> None:
    assert client.get("/assets/studio.js").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cookie": "bend-studio-127.0.0.1-8765=wrong"},
        {"cookie": f"bend-studio-127.0.0.1-8765={TOKEN}", "origin": "http://evil.example"},
    ],
)
def test_the_socket_is_guarded_too(client: TestClient, headers: dict[str, str]) -> None:
    with pytest.raises(WebSocketDisconnect) as refusal, client.websocket_connect(_SOCKET, headers=headers):
        pass
    assert refusal.value.code == 1008


def test_the_socket_opens_with_the_token(client: TestClient) -> None:
    with client.websocket_connect(f"{_SOCKET}?token={TOKEN}") as socket:
        assert socket.receive_text() == "hello"
