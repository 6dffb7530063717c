"""Starts the studio's server, prints its address, and stops it with everything saved."""

import errno
import logging
import os
import secrets
import socket
from collections.abc import Callable

import uvicorn
from h11 import ProtocolError

from bend.errors import SettingsError
from bend.studio.app import make_app, open_studio
from bend.studio.config import StudioConfig
from bend.studio.guard import LOOPBACK
from bend.studio.live import LONGEST_MESSAGE

__all__ = ["serve"]

_CUT_SHORT = ("asyncio.exceptions.CancelledError", "KeyboardInterrupt")


def serve(config: StudioConfig, say: Callable[[str], None], token: str | None = None) -> None:
    """Serve until interrupted.

    Args:
        config: how the studio starts.
        say: gets the address to open, once connections are accepted.
        token: the secret that requests must carry; None makes one.

    Raises:
        SettingsError: the address is taken, or the network cannot be opened.
    """
    listener = _listen(config)
    port = listener.getsockname()[1]
    token = token or secrets.token_urlsafe(18)
    name, hosts = config.host, {*LOOPBACK, config.host}
    if config.host in ("0.0.0.0", "::"):
        name = _own_address()
        hosts |= {socket.gethostname(), name}
    studio = open_studio(config)
    app = make_app(studio, token=token, hosts=hosts)
    say(f"http://{f'[{name}]' if ':' in name else name}:{port}/?token={token}")
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            ws="websockets-sansio",
            ws_max_size=LONGEST_MESSAGE,
            timeout_graceful_shutdown=3,
            server_header=False,
        )
    )
    for name in ("uvicorn.error", "asyncio"):  # after `Config`, which sets logging up
        logging.getLogger(name).addFilter(_is_ours)
    server.run(sockets=[listener])


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a log record of the server is about the studio, and not about a stranger's request or a second Ctrl-C.

    After a malformed request uvicorn says so in a line, and then fails over it. The record recognised by its text is of
    the end of the application's life, which a second Ctrl-C cuts short once everything is closed.
    """
    if os.environ.get("BEND_DEBUG"):
        return True
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, ProtocolError) or record.getMessage().rstrip().endswith(_CUT_SHORT))


def _listen(config: StudioConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
        listener.listen(64)  # a browser that comes before the server runs waits, and is not turned away
    except OSError as error:
        listener.close()
        is_elsewhere = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        option = "--host, an address of this machine" if is_elsewhere else "--port"
        raise SettingsError(
            f"{config.host}:{config.port} cannot be listened on ({error.strerror}); give another {option}"
        ) from None
    return listener


def _own_address() -> str:
    """The address of this machine in its network, as others see it. Nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
