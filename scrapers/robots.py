"""robots.txt (RFC 9309) for pictures on hosts that never agreed to serve programs.

A service with an interface for programs invites them; a host to which a search merely points does not. For sources of
the latter kind each host's robots.txt is fetched once a run and read by Protego. Without such a file everything is
allowed; where it cannot be fetched, nothing is. A crawl delay slows the requests to a host; too long a one refuses it.
"""

import threading
from typing import Protocol
from urllib.parse import urlsplit

from protego import Protego

from scrapers.client import PoliteClient
from scrapers.errors import DownloadError, PassingError
from scrapers.guard import netloc_of
from scrapers.source import HostLimit

__all__ = ["Memory", "Robots"]

_MAX_BYTES = 500 << 10  # what the RFC obliges a reader to read
_MAX_HOSTS = 500
_NO_SUCH_FILE = frozenset(range(400, 500)) - {429}
_SAME_FOR_PICTURES = frozenset({"bad-url", "dns", "private-address", "stopped", "tls"})

_Refusal = tuple[type[DownloadError], str, str]  # kind, reason and message, for every picture of the host


class Memory(Protocol):
    """What several processes remember together."""

    def recall(self, key: str) -> str | None:
        """What one of them remembered under `key`; None where nothing was."""
        ...

    def remember(self, key: str, text: str) -> None:
        """Remember `text` for all of them."""
        ...


class Robots:
    """The rules of each host, fetched when they are first needed.

    Args:
        client: the network.
        agent: the name by which robots.txt may address us.
        memory: what other processes of the same scrape have fetched already.
    """

    def __init__(self, client: PoliteClient, agent: str = "bend", memory: Memory | None = None) -> None:
        self._client = client
        self._agent = agent
        self._memory = memory
        self._answers: dict[str, Protego | _Refusal] = {}
        self._lock = threading.Lock()
        self._host_locks: dict[str, threading.Lock] = {}

    def allows(self, url: str) -> bool:
        """Whether the host lets us fetch this.

        Raises:
            PassingError: `robots-unknown`, or `rate-limited` where a crawl delay is too long.
            DownloadError: `robots-broken`, or the host cannot be asked for anything.
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            if len(self._answers) >= _MAX_HOSTS:
                self._answers.clear()
                self._host_locks = {name: lock for name, lock in self._host_locks.items() if lock.locked()}
            host_lock = self._host_locks.setdefault(origin, threading.Lock())
        with host_lock:  # so that a host is asked once, not once per worker
            answer = self._answers.get(origin)
            if answer is None:
                answer = self._answers[origin] = self._read(f"{origin}/robots.txt")
        if isinstance(answer, tuple):
            kind, reason, message = answer
            raise kind(reason, message)
        return answer.can_fetch(url, self._agent)

    def _read(self, address: str) -> Protego | _Refusal:
        try:
            rules = Protego.parse(self._text(address))
        except DownloadError as error:
            if error.reason in _SAME_FOR_PICTURES:
                raise
            if isinstance(error, PassingError):
                raise PassingError("robots-unknown", f"{address}: {error.reason}") from None
            return DownloadError, "robots-broken", f"{address}: {error.reason}"
        if delay_s := rules.crawl_delay(self._agent):
            if delay_s > self._client.config.retry.retry_after_cap_s:
                asked = f"{address}: asks for {delay_s:.0f} s between two requests"
                return PassingError, "rate-limited", asked
            limit = HostLimit(per_second=1 / delay_s, burst=1, concurrency=1)
            self._client.gate.slow_down(netloc_of(address), limit)
        return rules

    def _text(self, address: str) -> str:
        text = self._memory.recall(address) if self._memory else None
        if text is None:
            text = self._client.config.retry.run(
                lambda: self._ask(address), self._client.sleep, self._client.rng
            )
            if self._memory:
                self._memory.remember(address, text)
        return text

    def _ask(self, address: str) -> str:
        with self._client.attempt(address, accept_statuses=_NO_SUCH_FILE) as reply:
            body = b"" if reply.status >= 400 else reply.beginning(_MAX_BYTES)
        return body.decode("utf-8-sig", "replace")
