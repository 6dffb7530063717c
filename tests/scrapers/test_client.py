"""The polite client over real HTTP: redirects, deadlines, credentials, and where connections go."""

import contextlib
import dataclasses
import importlib.util
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from scrapers import guard
from scrapers.client import PoliteClient, redact, user_agent
from scrapers.config import ClientConfig
from scrapers.deadline import Watchdog
from scrapers.errors import ConfigError, DownloadError, PassingError
from scrapers.gate import Visit
from tests.fakes.server import Answer, FakeServer, Request
from tests.scrapers.conftest import HURRIED


class Echo(FakeServer):
    """Redirects `/to?URL`, and remembers what it was sent."""

    def answer(self, request: Request) -> Answer:
        if request.path == "/to":
            return Answer(302, b"moved", {"Location": request.query["url"]})
        return Answer(200, b"ok")


def test_user_agent_tells_who_is_asking(client: PoliteClient) -> None:
    with Echo() as server:
        with client.attempt(server.url + "/a") as reply:
            assert reply.decoded(10) == b"ok"
        sent = server.requests[0].headers["user-agent"]
    assert sent == user_agent(HURRIED)
    assert sent.startswith("bend/0.0 (test@example.org) requests/")
    assert user_agent(ClientConfig(product="bend/1")).startswith("bend/1 requests/")


@pytest.mark.parametrize("contact", ["me", "a@b\r\nX-Evil: 1", "a@b (c)", "@", "ftp://x", "ä@b"])
def test_a_contact_must_be_one(contact: str) -> None:
    with pytest.raises(ValueError, match="give a mail address or a web address"):
        ClientConfig(contact=contact)


def test_credentials_stay_with_their_host(client: PoliteClient) -> None:
    with Echo() as one, Echo() as other:
        headers = {"Authorization": "Bearer x", "X-Subscription-Token": "y", "Accept": "image/*"}
        with client.attempt(f"{one.url}/to?url=/here", headers=headers):
            pass
        assert one.requests[-1].headers["authorization"] == "Bearer x"
        with client.attempt(f"{one.url}/to?url={other.url}/there", headers=headers) as reply:
            assert reply.url == f"{other.url}/there"
        sent = other.requests[-1].headers
        assert "authorization" not in sent
        assert "x-subscription-token" not in sent
        assert sent["accept"] == "image/*"


@pytest.mark.parametrize(
    ("path", "is_kept"),
    [
        (("https://a.example/", "https://a.example/b"), True),
        (("http://a.example/", "https://a.example/"), True),
        (("https://a.example/", "http://a.example/"), False),
        (("https://a.example/", "http://a.example:443/"), False),
        (("https://a.example/", "http://a.example/", "https://a.example/"), False),
    ],
)
def test_credentials_stay_under_their_encryption(
    client: PoliteClient, monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...], is_kept: bool
) -> None:
    sent: list[set[str]] = []

    def request(session: Any, method: str, url: str, *, headers: dict[str, str], **_: Any) -> Any:
        sent.append({name for name in headers if name.startswith(("Auth", "X-"))})
        response = requests.Response()
        response.status_code = 302 if len(sent) < len(path) else 200
        response.headers["Location"] = path[min(len(sent), len(path) - 1)]
        response.raw = io.BytesIO()
        return response

    monkeypatch.setattr(requests.Session, "request", request)
    private = {"Authorization": "Bearer x", "X-Api-Key": "y", "X-Subscription-Token": "z"}
    with client.attempt(path[0], headers=private) as reply:
        assert reply.url == path[-1]
    assert sent[0] == set(private)
    assert sent[-1] == (set(private) if is_kept else set())


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 503, 520, 525, 530, 599])
def test_these_statuses_may_pass(client: PoliteClient, status: int) -> None:
    class Failing(FakeServer):
        def answer(self, request: Request) -> Answer:
            return Answer(status)

    with Failing() as server, pytest.raises(PassingError), client.attempt(server.url):
        pass


def test_no_cookies_are_kept(client: PoliteClient) -> None:
    class Cookie(FakeServer):
        def answer(self, request: Request) -> Answer:
            return Answer(200, b"", {"Set-Cookie": "id=1"})

    with Cookie() as server:
        for _ in range(2):
            with client.attempt(server.url):
                pass
        assert "cookie" not in server.requests[1].headers


def test_connections_are_reused(client: PoliteClient) -> None:
    with Echo() as server:
        ports = set()
        original = server.respond

        def respond(request: Request) -> Answer:
            ports.add(threading.get_ident())  # the server has a thread a connection
            return original(request)

        server.respond = respond  # type: ignore[method-assign]
        for _ in range(5):
            with client.attempt(server.url) as reply:
                reply.decoded(100)
        assert len(ports) == 1


@pytest.mark.parametrize("when", ["headers", "body", "handshake", "proxy"])
def test_a_drip_ends_at_the_total_deadline(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte now and then satisfies every socket timeout."""
    listener = socket.create_server(("127.0.0.1", 0))
    enough = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        start = {"headers": b"HTTP/1.1 200 OK\r\nX-A: ", "handshake": b"\x16\x03\x03\x10\x00"}
        with connection:
            try:
                connection.sendall(start.get(when, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"))
                for _ in range(200):
                    if enough.wait(0.05):
                        return
                    connection.sendall(b"x")
            except OSError:
                pass

    thread = threading.Thread(target=drip)
    thread.start()
    config = dataclasses.replace(HURRIED, connect_timeout_s=0.4, read_timeout_s=5, total_timeout_s=0.4)
    scheme = "https" if when == "handshake" else "http"
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    if when == "proxy":
        use_proxy(monkeypatch, f"http://{address}")
        address = "pictures.example"
    began = time.monotonic()
    try:
        with (
            closing(PoliteClient(config)) as client,
            pytest.raises(PassingError) as caught,
            client.attempt(f"{scheme}://{address}/") as reply,
        ):
            reply.decoded(1 << 20)
        assert caught.value.reason == "timeout"
        assert time.monotonic() - began < 10
    finally:
        enough.set()
        thread.join()
        listener.close()


def test_closing_wakes_who_waits_for_an_answer() -> None:
    class Sleepy(FakeServer):
        def answer(self, request: Request) -> Answer:
            time.sleep(30)
            return Answer()

    with Sleepy() as server:
        client = PoliteClient(HURRIED)
        threading.Timer(0.1, client.close).start()
        began = time.monotonic()
        with pytest.raises(PassingError) as caught, client.attempt(server.url):
            pass
        assert caught.value.reason == "stopped"
        assert time.monotonic() - began < 25


def test_closing_ends_a_request_that_was_still_connecting() -> None:
    class Connection:
        sock: socket.socket | None = None

    ours, theirs = socket.socketpair()
    watchdog, connection = Watchdog(), Connection()
    with ours, theirs, watchdog.watch(3600):
        watchdog.attach(connection)
        watchdog.expire_all()
        connection.sock = ours
        theirs.settimeout(10)
        assert theirs.recv(1) == b""  # shut down


def test_closing_lets_nobody_ask_who_was_about_to(monkeypatch: pytest.MonkeyPatch) -> None:
    client = PoliteClient(HURRIED)
    enter = client.gate.visit

    @contextlib.contextmanager
    def visit(netloc: str) -> Iterator[Visit]:
        with enter(netloc) as stay:
            client.close()
            yield stay

    monkeypatch.setattr(client.gate, "visit", visit)
    with Echo() as server:
        with pytest.raises(PassingError) as caught, client.attempt(server.url):
            pass
        assert caught.value.reason == "stopped"
        assert not server.hits


def test_a_name_is_resolved_once_and_that_address_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: a second answer would lead to loopback."""
    asked = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        address = "192.0.2.1" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    connected = []
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(guard, "is_public", lambda address: address == "192.0.2.1")
    monkeypatch.setattr(
        socket.socket, "connect", lambda self, address: connected.append(address) or _refuse()
    )
    client = PoliteClient(dataclasses.replace(HURRIED, allow_private_hosts=False))
    with pytest.raises(PassingError) as caught, client.attempt("http://rebind.example/a.jpg"):
        pass
    assert caught.value.reason == "connection"
    assert asked == ["rebind.example"]
    assert connected == [("192.0.2.1", 80)]


def test_a_family_of_addresses_that_the_machine_lacks_is_passed_over(
    client: PoliteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Echo() as server:
        port = urlsplit(server.url).port
        addresses = [(255, ("::1", port, 0, 0)), (socket.AF_INET, ("127.0.0.1", port))]
        found = [(family, socket.SOCK_STREAM, 6, "", address) for family, address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: found)
        with client.attempt(f"http://both.example:{port}/") as reply:
            assert reply.decoded(10) == b"ok"


def _refuse() -> None:
    raise ConnectionRefusedError(111, "refused")


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2:9/", "http://[::1]/", "http://2130706433/", "http://localhost/"]
)
def test_a_redirect_into_the_private_network_is_refused(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """The first host is let through as if it were public."""
    monkeypatch.setattr(guard, "is_public", lambda address: address == "127.0.0.1" and not redirected())
    with (
        Echo() as server,
        closing(PoliteClient(dataclasses.replace(HURRIED, allow_private_hosts=False))) as client,
    ):

        def redirected() -> bool:
            return bool(server.hits["/to"])

        with pytest.raises(DownloadError) as caught, client.attempt(f"{server.url}/to?url={target}"):
            pass
        assert caught.value.reason == "private-address"
        assert server.hits.total() == 1


def test_private_addresses_are_refused_by_default() -> None:
    with Echo() as server, closing(PoliteClient(ClientConfig())) as client:
        refusal = pytest.raises(DownloadError, match="not a public address; --allow-private-hosts")
        with refusal, client.attempt(server.url):
            pass
        assert not server.hits


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/?key=s3cret&q=x", "https://a.example/?key=…&q=x"),
        ("https://a.example/?API_KEY=s3cret", "https://a.example/?API_KEY=…"),
        ("https://a.example/?q=rocks", "https://a.example/?q=rocks"),
        ("https://a.example/a.jpg", "https://a.example/a.jpg"),
    ],
)
def test_keys_are_struck_out(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_unreachable_hosts(client: PoliteClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(PassingError) as caught, client.attempt(f"http://127.0.0.1:{port}/?key=s3cret"):
        pass
    assert caught.value.reason == "connection"
    assert "s3cret" not in str(caught.value)


def test_an_answer_of_two_lengths_is_no_fault_of_the_address(
    client: PoliteClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def request(*args: Any, **kwargs: Any) -> requests.Response:
        raise requests.exceptions.InvalidHeader("Content-Length contained multiple unmatching values (5, 6)")

    monkeypatch.setattr(requests.Session, "request", request)
    with pytest.raises(PassingError) as caught, client.attempt("http://127.0.0.1:9/a.jpg"):
        pass
    assert caught.value.reason == "connection"


def test_proxies_of_the_environment_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Echo() as proxy:
        use_proxy(monkeypatch, proxy.url)
        with closing(PoliteClient(HURRIED)) as client:
            for _ in range(2):
                with client.attempt("http://pictures.example/a.jpg") as reply:
                    assert reply.decoded(10) == b"ok"
        assert [request.headers["host"] for request in proxy.requests] == ["pictures.example"] * 2


def test_behind_a_proxy_addresses_are_checked_and_names_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with Echo() as proxy:
        use_proxy(monkeypatch, proxy.url)
        with closing(PoliteClient(ClientConfig())) as client:
            with client.attempt("http://pictures.example/a.jpg"):
                pass
            with pytest.raises(DownloadError) as caught, client.attempt("http://10.0.0.1/a.jpg"):
                pass
        assert caught.value.reason == "private-address"
        assert proxy.hits.total() == 1


@pytest.mark.parametrize("address", ["http://me:s3cret@:x", "ftp://proxy.example:1", "  "])
def test_a_proxy_that_is_none_is_told_before_anything_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    use_proxy(monkeypatch, address)
    with (
        closing(PoliteClient(HURRIED)) as client,
        pytest.raises(ConfigError, match="mend or unset HTTP_PROXY or ALL_PROXY") as caught,
        client.attempt("http://pictures.example/a.jpg"),
    ):
        pass
    assert "s3cret" not in str(caught.value)


def test_certificates_that_are_not_there_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with (
        closing(PoliteClient(HURRIED)) as client,
        pytest.raises(
            ConfigError, match=r"gone\.pem: REQUESTS_CA_BUNDLE names certificates that are not there"
        ),
        client.attempt("http://pictures.example/a.jpg"),
    ):
        pass


@pytest.mark.skipif(importlib.util.find_spec("socks") is not None, reason="SOCKS works here")
def test_a_socks_proxy_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    use_proxy(monkeypatch, "socks5h://127.0.0.1:1080")
    with (
        closing(PoliteClient(HURRIED)) as client,
        pytest.raises(ConfigError, match="run `pip install pysocks`"),
        client.attempt("http://pictures.example/a.jpg"),
    ):
        pass


def test_a_proxy_that_does_not_answer_is_named_as_the_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        use_proxy(monkeypatch, f"http://127.0.0.1:{listener.getsockname()[1]}")
    with (
        closing(PoliteClient(HURRIED)) as client,
        pytest.raises(PassingError, match="the proxy of the environment cannot be reached") as caught,
        client.attempt("http://pictures.example/a.jpg"),
    ):
        pass
    assert caught.value.reason == "connection"


def use_proxy(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, address)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
