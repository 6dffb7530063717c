"""The address guard: every spelling of a private address, and names that lead to one."""

import socket
from typing import Any

import pytest

from scrapers.errors import DownloadError, PassingError
from scrapers.guard import AddressGuard, is_public, netloc_of

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "198.18.0.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "fec0::1",
    "192.0.0.8",
    "::ffff:0:127.0.0.1",
    "::ffff:0:10.0.0.1",
    "2606:2800:220:1:0:5efe:10.0.0.1",
    "2606:2800:220:1:200:5efe:127.0.0.1",
    "3fff::1",
    "5f00::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "2606:2800:220:1::1",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
        "2606:2800:220:1:0:5efe:8.8.8.8",
    ],
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1/a.jpg", "private-address"),
        ("http://[::1]:8080/a.jpg", "private-address"),
        ("http://[::ffff:10.0.0.1]/", "private-address"),
        ("file:///etc/passwd", "bad-url"),
        ("ftp://example.org/a.jpg", "bad-url"),
        ("gopher://example.org/", "bad-url"),
        ("http:///a.jpg", "bad-url"),
        ("http://user:secret@example.org/a.jpg", "bad-url"),
        ("http://example.org:99999/", "bad-url"),
        ("http://[::1/", "bad-url"),
        ("a.jpg", "bad-url"),
        ("http://example.org/a\n.jpg", "bad-url"),
    ],
)
def test_urls_refused_as_text(url: str, reason: str) -> None:
    with pytest.raises(DownloadError) as caught:
        AddressGuard().check_url(url)
    assert caught.value.reason == reason
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "017700000001", "0x7f.1", "127.1", "0177.0.0.1", "localhost"]
)
def test_spellings_that_the_resolver_understands(host: str) -> None:
    AddressGuard().check_url(f"http://{host}/")  # as text it looks like a name
    with pytest.raises(DownloadError) as caught:
        AddressGuard().resolve(host, 80)
    assert caught.value.reason == "private-address"


def test_one_private_address_refuses_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (address, port)) for address in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(DownloadError, match=r"split\.example: 10\.0\.0\.1 is not a public address"):
        AddressGuard().resolve("split.example", 80)
    assert len(AddressGuard(allow_private=True).resolve("split.example", 80)) == 2


@pytest.mark.parametrize(
    ("number", "kind"), [(socket.EAI_NONAME, DownloadError), (socket.EAI_AGAIN, PassingError)]
)
def test_resolver_faults(monkeypatch: pytest.MonkeyPatch, number: int, kind: type[DownloadError]) -> None:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(number, "no")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(DownloadError) as caught:
        AddressGuard().resolve("nowhere.example", 80)
    assert type(caught.value) is kind
    assert caught.value.reason == "dns"


def test_netloc_drops_only_the_schemes_own_port() -> None:
    assert netloc_of("https://Example.org:443/a") == "example.org"
    assert netloc_of("http://example.org:443/a") == "example.org:443"
