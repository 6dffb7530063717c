"""An S3-compatible server on loopback (moto's), and a wire to it that can be cut in the middle of an upload."""

import contextlib
import logging
import select
import socket
import threading
from collections.abc import Iterator

__all__ = ["ACCOUNT", "Wire", "serving"]

ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "tester",
    "AWS_SECRET_ACCESS_KEY": "very-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/nowhere/config",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere/credentials",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextlib.contextmanager
def serving() -> Iterator[int]:
    """A server that begins empty; yields its port."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()[1]
    finally:
        server.stop()


class Wire:
    """A TCP connection to a server that breaks once that many bytes have gone up, and stays broken until it is mended.

    Args:
        port: of the server.
    """

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._left: int | None = None
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def cut_after(self, num_bytes: int) -> None:
        """Break once `num_bytes` more have gone up, and stay broken."""
        with self._lock:
            self._left = num_bytes

    def mend(self) -> None:
        """Work again."""
        with self._lock:
            self._left = None

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._upstream)) as server:
            other = {client: server, server: client}
            with contextlib.suppress(OSError):
                while True:
                    ready, _, _ = select.select([client, server], [], [])
                    for end in ready:
                        data = end.recv(1 << 16)
                        if not data or (end is client and not self._may_pass(len(data))):
                            return
                        other[end].sendall(data)

    def _may_pass(self, num_bytes: int) -> bool:
        with self._lock:
            if self._left is None:
                return True
            self._left -= num_bytes
            return self._left > 0
