"""What the studio's terminal shows when requests are malformed, and when Ctrl-C is pressed twice."""

import logging
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from h11 import LocalProtocolError

from bend.studio import serving
from tests.bend.studio.own_process import studio_process


@pytest.fixture
def studio(tmp_path: Path, tiny_network: Path) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """A studio in a process of its own, its port and its token."""
    with studio_process(tmp_path, tiny_network, stderr=subprocess.PIPE, BEND_NATIVE="0") as started:
        yield started


def _answer(port: int, *parts: bytes) -> bytes:
    """What comes back for the parts of a request, each sent separately."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as asking:
        for part in parts:
            asking.sendall(part)
            time.sleep(0.3)
        return asking.recv(1000)


@pytest.mark.slow
def test_malformed_requests_and_a_second_ctrl_c_are_no_tracebacks(
    studio: tuple[subprocess.Popen[str], int, str],
) -> None:
    process, port, token = studio
    host = f"127.0.0.1:{port}".encode()
    head = b"POST /recipe?token=%b HTTP/1.1\r\nHost: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % (
        token.encode(),
        host,
    )
    assert _answer(port, head + b"5\r\nhello\r\nZZZ\r\n").startswith(b"HTTP/1.1 4")
    assert _answer(port, head + b"5\r\nhello\r\n", b"ZZZ\r\n").startswith(b"HTTP/1.1 4")
    assert _answer(port, b"GARBAGE\r\n\r\n").startswith(b"HTTP/1.1 400")
    good = b"GET /start?token=%b HTTP/1.1\r\nHost: %b\r\n\r\n" % (token.encode(), host)
    assert _answer(port, good).startswith(b"HTTP/1.1 200")
    process.send_signal(signal.SIGINT)
    time.sleep(0.03)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert set(filter(None, err.splitlines())) == {"WARNING:  Invalid HTTP request received.", "interrupted"}


def test_defects_of_the_studio_are_told_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(error: BaseException | None, text: str = "Exception in ASGI application") -> bool:
        found = None if error is None else (type(error), error, None)
        return serving._is_ours(logging.LogRecord("uvicorn.error", 40, "", 0, text, (), found))

    assert told(ValueError("ours"))
    assert told(None, "Traceback (most recent call last):\nValueError: ours\n")
    assert not told(LocalProtocolError("theirs"))
    assert not told(None, "Traceback (most recent call last):\nasyncio.exceptions.CancelledError\n")
    monkeypatch.setenv("BEND_DEBUG", "1")
    assert told(LocalProtocolError("theirs"))
