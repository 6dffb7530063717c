"""robots.txt (RFC 9309) for pictures on hosts that never agreed to serve programs.

A picture service's interface invites programs; a URL found anywhere does not. For sources that say so, the host's
robots.txt is asked once a run. No such file means yes, a host too broken to say means no, and a crawl delay becomes
the host's pace.
"""

import threading
from typing import Protocol
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

from scrapers.client import PoliteClient
from scrapers.errors import DownloadError, PassingError
from scrapers.guard import netloc_of
from scrapers.source import HostLimit

__all__ = ["Memory", "Robots"]

_MAX_BYTES = 500 << 10  # what the RFC obliges a reader to read
_MAX_HOSTS = 500
_NO_SUCH_FILE = frozenset(range(400, 500)) - {429}


class Memory(Protocol):
    """What several processes remember together."""

    def recall(self, key: str) -> str | None:
        """What any of them found out."""
        ...

    def remember(self, key: str, text: str) -> None:
        """Tell all of them."""
        ...


class Robots:
    """Answers by host, asked for when first needed.

    Args:
        client: the network.
        agent: the name by which robots.txt may address us.
        memory: where others that work with us look first, too.
    """

    def __init__(self, client: PoliteClient, agent: str = "bend", memory: Memory | None = None) -> None:
        self._client = client
        self._agent = agent
        self._memory = memory
        self._parsers: dict[str, RobotFileParser] = {}
        self._lock = threading.Lock()
        self._host_locks: dict[str, threading.Lock] = {}

    def allows(self, url: str) -> bool:
        """Whether the host lets us fetch this.

        Raises:
            PassingError: robots.txt could not be had; a later run may have it.
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            if len(self._parsers) >= _MAX_HOSTS:
                self._parsers.clear()
                self._host_locks = {name: lock for name, lock in self._host_locks.items() if lock.locked()}
            host_lock = self._host_locks.setdefault(origin, threading.Lock())
        with host_lock:  # so that a host is asked once, not once a worker
            parser = self._parsers.get(origin)
            if parser is None:
                parser = self._parsers[origin] = self._read(origin)
        return parser.can_fetch(self._agent, url)

    def _read(self, origin: str) -> RobotFileParser:
        address = f"{origin}/robots.txt"
        text = self._memory.recall(address) if self._memory else None
        if text is None:
            text = self._ask(address)
            if self._memory:
                self._memory.remember(address, text)
        parser = RobotFileParser()
        parser.parse(text.splitlines())
        delay_s = parser.crawl_delay(self._agent)
        if delay_s:
            limit = HostLimit(per_second=1 / float(delay_s), burst=1, concurrency=1)
            self._client.gate.set_limit(netloc_of(origin), limit)
        return parser

    def _ask(self, address: str) -> str:
        try:
            return self._text(address)
        except PassingError as error:
            raise PassingError("robots-unknown", f"{address}: {error.reason}") from None
        except DownloadError:
            return ""

    def _text(self, url: str) -> str:
        def ask() -> str:
            with self._client.attempt(url, accept_statuses=_NO_SUCH_FILE) as reply:
                body = b"" if reply.status >= 400 else reply.decoded(_MAX_BYTES)
            return body.decode("utf-8", "replace")

        return self._client.config.retry.run(ask, self._client.sleep, self._client.rng)
