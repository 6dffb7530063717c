"""Access control: only pages of this very server that know its token may come in.

There are three checks, each against another kind of visitor. The Host must be one that the studio was started for,
which stops DNS rebinding. The Origin must be the studio's own, which stops scripts of other pages. And without the
token, which only the terminal shows, nothing is served but the page's own files.
"""

import hmac
import re
from collections.abc import Collection
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LOOPBACK", "Guard", "cookie_name"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OPEN = ("/assets/", "/icon.svg")
"""Paths that need no token: files of the page, the same for everyone."""
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; "
    "media-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def cookie_name(host: str) -> str:
    """The name of a studio's cookie; it contains the port, since browsers share cookies between ports."""
    return "bend-studio-" + re.sub(r"[^\w.]", "-", host.lower(), flags=re.ASCII)


class Guard:
    """ASGI middleware.

    Args:
        app: what is guarded.
        token: the secret that a request must carry.
        hosts: names under which the studio may be called, without ports.
    """

    def __init__(self, app: ASGIApp, *, token: str, hosts: Collection[str]) -> None:
        self._app = app
        self._token = token
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None and scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal})
        elif refusal is not None:
            await PlainTextResponse(refusal + "\n", status_code=403, headers=_HEADERS)(scope, receive, send)
        else:
            await self._app(scope, receive, self._with_headers(scope, send))

    def _refusal(self, scope: Scope) -> str | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _name_of(host) not in self._hosts:
            return "This address is not the studio's; open the one that the terminal shows."
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return "Another page may not play this instrument."
        if scope["type"] == "http" and scope["path"].startswith(_OPEN):
            return None
        if not any(hmac.compare_digest(given, self._token) for given in _tokens(scope, headers)):
            return "The address lacks its token; open the whole address that the terminal shows."
        return None

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"] == "/":
                    name = cookie_name(Headers(scope=scope)["host"])
                    headers.append("Set-Cookie", f"{name}={self._token}; Path=/; HttpOnly; SameSite=Strict")
            await send(message)

        return sending


def _name_of(host: str) -> str | None:
    """The name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _tokens(scope: Scope, headers: Headers) -> list[str]:
    """The tokens that a request carries, without those that are not ASCII.

    Cookies are not read by `http.cookies`, which reads none of them where one is malformed: a browser also sends those
    of every other server on this machine.
    """
    query = parse_qs(scope["query_string"].decode("latin-1"))
    cookies = cookie_parser(headers.get("cookie", ""))
    given = [*query.get("token", []), cookies.get(cookie_name(headers.get("host", "")), "")]
    return [token for token in given if token.isascii()]
