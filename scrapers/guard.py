"""Which addresses may be talked to: a list of URLs from strangers must not reach into the operator's own network.

Every hop of every request is checked twice. The URL is checked as text (scheme, host, no credentials), and each
address that the host's name resolves to is checked before a socket is opened. The connection is then made to the
very address that was checked, since a second look-up could answer differently (DNS rebinding). Decimal, octal and
hexadecimal spellings of an address need no list of their own: the resolver turns them into the address they mean.
Behind a proxy there is only the first check: names are the proxy's to resolve.

IPv6 can carry an IPv4 address inside (mapped, translated, NAT64, 6to4, Teredo, ISATAP, the old compatible form); the
inner address is checked as well as the outer one.
"""

import ipaddress
import re
import socket
from typing import Any
from urllib.parse import SplitResult, urlsplit

from scrapers.errors import DownloadError, PassingError

__all__ = ["AddressGuard", "is_public", "netloc_of"]

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_TRANSLATED = ipaddress.IPv6Network("::ffff:0:0:0/96")  # RFC 2765
_ISATAP_MARKS = frozenset({0x00005EFE, 0x02005EFE})  # RFC 5214, before the inner address
# Not globally reachable by IANA's registries of special-purpose addresses, and "global" to one Python or another.
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "64:ff9b:1::/48", "2001:2::/48", "3fff::/20", "5f00::/16", "fec0::/10")
)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DEFAULT_PORTS = {"http": 80, "https": 443}

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_public(text: str) -> bool:
    """Whether an address, and every address inside it, belongs to the public internet.

    Args:
        text: an IPv4 or IPv6 address, with or without a zone (`fe80::1%eth0`).
    """
    if "%" in text:  # a zone only ever marks a link-local address
        return False
    return all(
        part.is_global and not part.is_multicast and not any(part in network for network in _SPECIAL)
        for part in _layers(ipaddress.ip_address(text))
    )


def netloc_of(url: str) -> str:
    """`host` or, off the scheme's own port, `host:port`: what limits and breakers are kept by.

    Raises:
        DownloadError: `bad-url`.
    """
    parts, port = _split(url)
    host = (parts.hostname or "").rstrip(".")
    return host if port == _DEFAULT_PORTS.get(parts.scheme) else f"{host}:{port}"


class AddressGuard:
    """Decides which URLs may be asked for and which addresses may be connected to.

    Args:
        allow_private: lets private and loopback addresses through, for tests and for an intranet's own pictures.
    """

    def __init__(self, *, allow_private: bool = False) -> None:
        self.allow_private = allow_private

    def check_url(self, url: str) -> None:
        """Refuse a URL that is not plain http(s), or whose host is spelt as a forbidden address.

        Raises:
            DownloadError: `bad-url` or `private-address`.
        """
        if _CONTROLS.search(url):
            raise DownloadError("bad-url", f"{url[:200]!r}: an address with a line break or the like in it")
        parts, _ = _split(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise DownloadError("bad-url", f"{url[:200]}: not an http or https address")
        if parts.username is not None or parts.password is not None:
            raise DownloadError("bad-url", f"{parts.hostname}: an address with a user name or password in it")
        try:
            ipaddress.ip_address(parts.hostname)
        except ValueError:
            return  # a name; its addresses are checked when it is resolved
        self.check_address(parts.hostname, parts.hostname)

    def check_address(self, address: str, host: str) -> None:
        """Refuse an address outside the public internet.

        Raises:
            DownloadError: `private-address`.
        """
        if not self.allow_private and not is_public(address):
            raise DownloadError(
                "private-address",
                f"{host}: {address} is not a public address; --allow-private-hosts lets it through",
            )

    def resolve(self, host: str, port: int) -> list[tuple[int, Any]]:
        """Every (address family, socket address) of a host, all of them checked.

        One forbidden address refuses the host: a name that is half public is an attack or a mistake.

        Raises:
            DownloadError: `dns` where the name does not exist, or `private-address`.
            PassingError: `dns` where the resolver itself failed.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise PassingError("dns", f"{host}: the name server does not answer") from None
            raise DownloadError("dns", f"{host}: no such host") from None
        except UnicodeError:
            raise DownloadError("bad-url", f"{host[:100]}: not a host name") from None
        for *_, address in found:
            self.check_address(str(address[0]), host)
        return [(family, address) for family, _, _, _, address in found]


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        return parts, parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        raise DownloadError("bad-url", f"{url[:200]}: not an address") from None


def _layers(address: _Address) -> list[_Address]:
    """The address and the IPv4 addresses that it carries."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped:  # the outer form says nothing of its own
        return [address.ipv4_mapped]
    inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _NAT64:
        return [inner]
    layers: list[_Address] = [address]
    is_carried = address in _COMPATIBLE or address in _TRANSLATED
    if is_carried or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP_MARKS:
        layers.append(inner)
    if address.sixtofour:
        layers.append(address.sixtofour)
    if address.teredo:
        layers.extend(address.teredo)
    return layers
