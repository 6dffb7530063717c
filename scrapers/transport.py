"""requests sessions whose connections go only to checked addresses and can be cut off at a deadline.

requests is built on urllib3's pools, and a pool makes its connections from a class that may be replaced. Ours
overrides `_new_conn`, the hook by which urllib3's own SOCKS support makes sockets: the name is resolved once, every
address is checked, and the socket is opened to a checked address. Host header, SNI and certificate check still go
by the name. A proxy of the environment resolves names itself, so towards it only the deadline holds. No cookies, no
.netrc: the only credentials sent are those a source puts into its own headers.
"""

import contextlib
import os
import socket
import sys
import urllib.request
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from scrapers.deadline import Watchdog
from scrapers.errors import ConfigError
from scrapers.guard import AddressGuard

__all__ = ["make_session"]


def make_session(guard: AddressGuard, watchdog: Watchdog, user_agent: str) -> requests.Session:
    """A session for one worker thread.

    Raises:
        ConfigError: a proxy of the environment cannot be used, or its certificates are not there.
    """
    _check_proxies()
    session = _Session()
    session.trust_env = False  # .netrc would send the operator's passwords to whichever host is listed there
    session.verify = _certificates()
    session.headers.update({"User-Agent": user_agent})
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # none at all
    adapter = _GuardedAdapter(guard, watchdog)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _certificates() -> str | bool:
    """The certificates that the environment names; True for those of requests."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if path := os.environ.get(name):
            if not Path(path).exists():
                raise ConfigError(f"{path}: {name} names certificates that are not there; mend or unset it")
            return path
    return True


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: the client follows redirects, and requests would parse their targets even when told not to."""


class _GuardedAdapter(HTTPAdapter):
    def __init__(self, guard: AddressGuard, watchdog: Watchdog) -> None:
        self._guard = guard
        self._watchdog = watchdog
        super().__init__(pool_connections=8, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            scheme: _watched(_guarded(pool, self._guard), self._watchdog)
            for scheme, pool in self.poolmanager.pool_classes_by_scheme.items()
        }

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        if proxy in self.proxy_manager:
            return self.proxy_manager[proxy]
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = {
            scheme: _watched(pool, self._watchdog) for scheme, pool in manager.pool_classes_by_scheme.items()
        }
        return manager


# Pool classes bound to one guard or watchdog; urllib3 takes classes here, not instances.


def _guarded(pool: Any, guard: AddressGuard) -> Any:
    """The pool with connections to checked addresses only."""

    class Guarded(pool.ConnectionCls):
        def _new_conn(self) -> socket.socket:
            return _connect(self, guard)

    return type(pool.__name__, (pool,), {"ConnectionCls": Guarded})


def _watched(pool: Any, watchdog: Watchdog) -> Any:
    """The pool with connections that the watchdog can shut.

    Connecting and the TLS handshake are each bounded by the connect timeout; the watchdog sees to what follows.
    """

    class Watched(pool.ConnectionCls):
        def request(self, *args: Any, **kwargs: Any) -> None:
            watchdog.attach(self)
            super().request(*args, **kwargs)

    return type(pool.__name__, (pool,), {"ConnectionCls": Watched})


def _connect(connection: HTTPConnection, guard: AddressGuard) -> socket.socket:
    """Open a socket to the first of the host's checked addresses that answers."""
    failure: OSError | None = None
    for family, address in guard.resolve(connection.host.strip("[]"), connection.port):
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:  # a family that this machine lacks
            failure = error
            continue
        try:
            for option in connection.socket_options or ():
                sock.setsockopt(*option)
            if isinstance(connection.timeout, int | float):
                sock.settimeout(connection.timeout)
            sock.connect(address)
            sys.audit("http.client.connect", connection, connection.host, connection.port)
            return sock
        except OSError as error:
            failure = error
            with contextlib.suppress(OSError):
                sock.close()
    if isinstance(failure, TimeoutError):
        raise ConnectTimeoutError(connection, f"{connection.host}: no connection in time")
    raise NewConnectionError(connection, f"{connection.host}: {failure}")


def _check_proxies() -> None:
    """Refuse what would otherwise look like a fault of every address that is asked for."""
    proxies = urllib.request.getproxies()
    for scheme in ("http", "https"):
        request = requests.Request("GET", f"{scheme}://example.org/").prepare()
        try:
            HTTPAdapter().get_connection_with_tls_context(request, verify=True, proxies=proxies)
        except requests.exceptions.InvalidSchema:
            raise ConfigError(
                "a SOCKS proxy of the environment needs one more package; run `pip install pysocks`, or unset ALL_PROXY"
            ) from None
        except (requests.RequestException, ValueError):
            raise ConfigError(
                f"the environment's proxy for {scheme} is not an address of a proxy; mend or unset "
                f"{scheme.upper()}_PROXY or ALL_PROXY"
            ) from None
