"""Polite HTTP: one attempt at one request, with the guarantees that the rest of the package relies on.

An attempt follows a few redirects by itself, and every hop passes the address guard and the gate of its host. The
whole attempt, headers and body, ends at a total deadline. Whatever goes wrong is raised as one of our errors:
`PassingError` where another attempt may succeed (which is up to the caller's `RetryPolicy`), `DownloadError` where it
will not. Messages show URLs without the keys in them.
"""

import contextlib
import http.client
import random
import re
import ssl
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urljoin

import requests
import urllib3

from scrapers.config import ClientConfig
from scrapers.deadline import Watch, Watchdog
from scrapers.errors import DownloadError, PassingError
from scrapers.gate import Door, Gate, Visit
from scrapers.guard import AddressGuard, netloc_of
from scrapers.host import HostRules
from scrapers.retry import RETRIED_STATUSES, parse_retry_after
from scrapers.transport import make_session

__all__ = ["PoliteClient", "Reply", "host_rules", "redact", "user_agent"]

_SECRETS = re.compile(r"(?i)(?<=[?&;])(key|api_key|apikey|access_token|token|client_secret|cx)=[^&#;]*")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FINAL_REASONS = {401: "forbidden", 403: "forbidden", 404: "not-found", 410: "gone", 451: "legal-reasons"}
_NETWORK_FAULTS = (  # not all of OSError: a full disk is not the network's fault
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
)
_NO_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    http.client.InvalidURL,
)
_PRIVATE_HEADERS = frozenset({"authorization", "x-subscription-token", "x-api-key"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer whose body has not been read yet.

    Attributes:
        status: 200 to 299, or one that the caller said it would take.
        headers: case-insensitive.
        url: where the last redirect led.
    """

    status: int
    headers: Mapping[str, str]
    url: str
    _response: requests.Response
    _visit: Visit

    def chunks(self, size: int = 1 << 16) -> Iterator[bytes]:
        """The body as it travelled, with no content decoding, at the host's bandwidth limit."""
        for chunk in _pieces(self._response.raw.stream(size, decode_content=False)):
            self._visit.spend(len(chunk))
            yield chunk

    def decoded(self, max_bytes: int) -> bytes:
        """The whole body with content decoding.

        Raises:
            DownloadError: `too-many-bytes`.
        """
        body = self.beginning(max_bytes + 1)
        if len(body) > max_bytes:
            raise DownloadError("too-many-bytes", f"{redact(self.url)}: more than {max_bytes} bytes")
        return body

    def beginning(self, num_bytes: int) -> bytes:
        """The first bytes of the body with content decoding; the rest is not waited for."""
        body = bytearray()
        for chunk in _pieces(self._response.iter_content(1 << 16)):
            body += chunk
            if len(body) >= num_bytes:
                break
        return bytes(body[:num_bytes])


class PoliteClient:
    """The one way to the network. Safe to use from many threads; each gets its own session.

    Args:
        config: behaviour; hosts get limits of their own through `gate`.
        num_places: requests under way at the same time, over all hosts.
        gate: what limits requests to each host, where it is shared with others; by default the client has its own.
    """

    def __init__(self, config: ClientConfig, num_places: int = 8, gate: Door | None = None) -> None:
        self.config = config
        self.stop = threading.Event()
        self.guard = AddressGuard(allow_private=config.allow_private_hosts)
        self.gate: Door = gate or Gate(default=config.default_limit, stop=self.stop, rules=host_rules(config))
        self.rng = random.Random()  # spreads waits only; nothing that is written depends on it
        self._places = threading.Semaphore(num_places)
        self._watchdog = Watchdog()
        # Looked up once, since it walks the whole environment.
        self._has_proxies = bool(urllib.request.getproxies())
        self._mine = threading.local()

    def close(self) -> None:
        """End every wait and every request under way; the client cannot be used afterwards."""
        self.stop.set()
        self._watchdog.expire_all()

    def sleep(self, seconds: float) -> None:
        """Wait, unless the scrape is stopping.

        Raises:
            PassingError: `stopped`.
        """
        if self.stop.wait(seconds):
            raise PassingError("stopped", "the scrape is stopping")

    @contextlib.contextmanager
    def attempt(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        accept_statuses: frozenset[int] = frozenset(),
        retry_statuses: frozenset[int] = RETRIED_STATUSES,
        admit: Callable[[str], None] | None = None,
    ) -> Iterator[Reply]:
        """Make one request, following redirects; the body may be read inside the `with`.

        Args:
            url: http or https.
            headers: sent along; credentials are dropped when a redirect leaves the host or its encryption.
            form: makes it a POST of these fields.
            accept_statuses: answers outside 2xx that the caller wants to see.
            retry_statuses: answers that may pass.
            admit: called with each address that a redirect leads to; raises where it must not be followed.

        Raises:
            PassingError: another attempt may succeed.
            DownloadError: it will not.
            ConfigError: a proxy of the environment cannot be used.
        """
        sent = {"Accept-Encoding": "identity", **(headers or {})}
        first = url
        left_s = self.config.total_timeout_s
        for _ in range(self.config.max_redirects + 1):
            self.guard.check_url(url)
            if admit is not None and url != first:
                admit(url)
            if self._session().should_strip_auth(first, url):
                sent = {k: v for k, v in sent.items() if k.lower() not in _PRIVATE_HEADERS}
            with (
                self.gate.visit(netloc_of(url)) as visit,
                self._places,
                self._watchdog.watch(left_s) as watch,  # waiting for one's turn does not count
                self._send(url, sent, form, visit, watch) as response,
            ):
                if response.status_code not in _REDIRECTS or "location" not in response.headers:
                    self._judge(response, url, visit, accept_statuses, retry_statuses)
                    yield Reply(
                        status=response.status_code,
                        headers=response.headers,
                        url=url,
                        _response=response,
                        _visit=visit,
                    )
                    return
                url, form = _next_hop(url, response.headers["location"]), None
            left_s = max(0.1, watch.left_s)
        raise DownloadError(
            "redirect-loop", f"{redact(first)}: redirected more than {self.config.max_redirects} times"
        )

    @contextlib.contextmanager
    def _send(
        self, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None, visit: Visit, watch: Watch
    ) -> Iterator[requests.Response]:
        """One hop; errors raised while the body is read inside the `with` are translated as well."""
        self.sleep(0)  # the scrape may have ended while this waited for a place
        try:
            with self._session().request(
                "GET" if form is None else "POST",
                url,
                headers=headers,
                data=form,
                stream=True,
                allow_redirects=False,
                timeout=(self.config.connect_timeout_s, self.config.read_timeout_s),
                proxies=requests.utils.get_environ_proxies(url) if self._has_proxies else None,
            ) as response:
                yield response
            # Shut down in its headers, or in a body of unknown length, a connection seems to end properly.
            if watch.expired:
                raise PassingError("timeout", f"{redact(url)}: not finished in time")
        except _NETWORK_FAULTS as error:
            if self.stop.is_set():
                raise PassingError("stopped", "the scrape is stopping") from None
            fault = _translate(error, redact(url), watch.expired)
            if isinstance(fault, PassingError):
                visit.failed()
            raise fault from None

    def _judge(
        self,
        response: requests.Response,
        url: str,
        visit: Visit,
        accept_statuses: frozenset[int],
        retry_statuses: frozenset[int],
    ) -> None:
        """Raise for an answer that is a refusal, and tell the gate how the host is."""
        status = response.status_code
        if status in retry_statuses and status not in accept_statuses:
            retry_after_s = parse_retry_after(response.headers.get("retry-after"))
            if retry_after_s is not None:
                visit.pause(retry_after_s)
            if status >= 500:
                visit.failed()
            reason = "rate-limited" if status in (403, 429) else "server-error"
            raise PassingError(reason, f"{redact(url)}: {_status(status)}", retry_after_s=retry_after_s)
        visit.succeeded()
        if not 200 <= status < 300 and status not in accept_statuses:
            raise DownloadError(_FINAL_REASONS.get(status, "refused"), f"{redact(url)}: {_status(status)}")

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = make_session(self.guard, self._watchdog, user_agent(self.config))
            self._mine.session = session
        return session


def host_rules(config: ClientConfig) -> HostRules:
    """The rules that the settings make for every host."""
    return HostRules(
        max_pause_s=config.retry.retry_after_cap_s,
        breaker_failures=config.breaker_failures,
        breaker_rest_s=config.breaker_rest_s,
    )


def user_agent(config: ClientConfig) -> str:
    """`product (contact) requests/X`, the form that Wikimedia's policy asks for."""
    contact = f" ({config.contact})" if config.contact else ""
    return f"{config.product}{contact} requests/{requests.__version__}"


def redact(url: str) -> str:
    """The URL with keys and tokens blanked out, fit for messages and logs."""
    return _SECRETS.sub(r"\1=…", url)


def _next_hop(url: str, location: str) -> str:
    try:
        # Servers send raw UTF-8 here, which http.client read as Latin-1.
        with contextlib.suppress(UnicodeError):
            location = location.encode("latin-1").decode("utf-8")
        return urljoin(url, location)
    except ValueError:
        raise DownloadError(
            "bad-url", f"{redact(url)}: redirects to something that is not an address"
        ) from None


def _pieces(body: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks of a body; the ValueError that urllib3 lets through for wrong framing becomes a network error."""
    try:
        yield from body
    except ValueError as error:
        raise urllib3.exceptions.ProtocolError(str(error)) from error


def _translate(error: Exception, url: str, expired: bool) -> DownloadError:
    """What an exception of requests or urllib3 means."""
    if expired or isinstance(
        error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError | TimeoutError
    ):
        return PassingError("timeout", f"{url}: not finished in time")
    if _is_certificate_fault(error):
        return DownloadError("tls", f"{url}: its certificate is not valid")
    if isinstance(error, requests.exceptions.ContentDecodingError | urllib3.exceptions.DecodeError):
        return DownloadError("encoding", f"{url}: the content encoding is broken")
    if isinstance(error, _NO_ADDRESS):
        return DownloadError("bad-url", f"{url}: not an address that can be asked for")
    if any(isinstance(part, http.client.IncompleteRead) for part in (error, *error.args)):
        return PassingError("cut-short", f"{url}: the answer is shorter than announced")
    what = "the connection failed or broke off"
    if isinstance(error, requests.exceptions.ProxyError):
        what = "the proxy of the environment cannot be reached, or refuses"
    return PassingError("connection", f"{url}: {what}")


def _is_certificate_fault(error: BaseException) -> bool:
    if not isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return False
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return True
        seen = seen.__cause__ or seen.__context__
    return "CERTIFICATE_VERIFY_FAILED" in str(error) or "doesn't match" in str(error)


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
