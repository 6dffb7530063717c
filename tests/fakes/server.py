"""The base of every fake: a threaded HTTP/1.1 server on loopback that counts what it is asked."""

import json as json_module
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.pictures import jpeg


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass
class Answer:
    """What the server sends. Content-Length is added unless `headers` has one or `has_length` is off."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    has_length: bool = True
    closes: bool = False
    """Drop the connection after the body."""
    pace: tuple[int, float] | None = None
    """Send the body in pieces: bytes in each, and seconds between them."""


def as_json(value: Any, status: int = 200, **headers: str) -> Answer:
    """An answer of JSON."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, json_module.dumps(value).encode(), {"Content-Type": "application/json", **named})


def as_html(text: str, status: int = 200) -> Answer:
    """An answer of HTML."""
    return Answer(
        status, f"<!DOCTYPE html><html><body>{text}</body></html>".encode(), {"Content-Type": "text/html"}
    )


class FakeServer:
    """A server on loopback, used as a context manager. Subclasses say what it answers.

    `/media/N.jpg` is the picture of seed N in every fake (`/media/N-small.jpg` a quarter of its size).
    """

    latency_s = 0.0

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.hits: Counter[str] = Counter()
        self.num_active = self.most_active = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, request: Request) -> Answer:
        """What a request to anything but `/media/` gets."""
        return Answer(404)

    def respond(self, request: Request) -> Answer:
        """Count a request and answer it."""
        with self._lock:
            self.requests.append(request)
            self.hits[request.path] += 1
            self.num_active += 1
            self.most_active = max(self.most_active, self.num_active)
        try:
            time.sleep(self.latency_s)
            return self.media(request) if request.path.startswith("/media/") else self.answer(request)
        finally:
            with self._lock:
                self.num_active -= 1

    def media(self, request: Request) -> Answer:
        """A picture, with an ETag and ranges."""
        seed, _, size = request.path.removeprefix("/media/").removesuffix(".jpg").partition("-")
        if not seed.isdigit():
            return Answer(404)
        body = jpeg(int(seed), side=80 if size == "small" else 320)
        return ranged(request, body, f'"{seed}"', "image/jpeg")


def ranged(request: Request, body: bytes, etag: str, kind: str) -> Answer:
    """The whole body, or the part that a Range with a fitting If-Range asks for."""
    headers = {"Content-Type": kind, "ETag": etag, "Accept-Ranges": "bytes"}
    asked = request.headers.get("range", "")
    if not asked or request.headers.get("if-range", etag) != etag:
        return Answer(200, body, headers)
    start = int(asked.removeprefix("bytes=").split("-")[0])
    if start >= len(body):
        return Answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
    return Answer(
        206, body[start:], {**headers, "Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
    )


class FakeService(FakeServer):
    """A service whose pictures lie on a host other than that of its interface, as is usual."""

    def __init__(self) -> None:
        super().__init__()
        self.media_host = FakeServer()

    def __enter__(self) -> Self:
        self.media_host.__enter__()
        return super().__enter__()

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        self.media_host.__exit__(*exc_info)

    def picture_url(self, seed: int, size: str = "") -> str:
        """Where a picture lies."""
        return f"{self.media_host.url}/media/{seed}{'-' if size else ''}{size}.jpg"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave early are part of the tests."""


def _handler_of(fake: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._reply("GET")

        def do_POST(self) -> None:
            self._reply("POST")

        def _reply(self, method: str) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            request = Request(
                method,
                parts.path,
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length),
            )
            answer = fake.respond(request)
            self.send_response(answer.status)
            if answer.has_length and "Content-Length" not in answer.headers:
                self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.closes or not answer.has_length:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            self._send(answer)

        def _send(self, answer: Answer) -> None:
            if answer.pace is None:
                self.wfile.write(answer.body)
                return
            size, pause_s = answer.pace
            for start in range(0, len(answer.body), size):
                self.wfile.write(answer.body[start : start + size])
                self.wfile.flush()
                time.sleep(pause_s)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
