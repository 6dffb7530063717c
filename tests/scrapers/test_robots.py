"""robots.txt by the book: RFC 9309's own examples, files too long or too broken to read, and crawl delays."""

import gzip
from collections.abc import Iterator
from contextlib import closing

import pytest

from scrapers.client import PoliteClient
from scrapers.config import ClientConfig
from scrapers.errors import DownloadError, PassingError
from scrapers.gate import Gate
from scrapers.robots import Robots
from scrapers.source import HostLimit
from tests.fakes.server import Answer, FakeServer, Request

OWN = HostLimit(per_second=4, burst=4, concurrency=2, bytes_per_second=1e6)
SIMPLE = """
User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
"""
LONGEST_MATCH = """
User-Agent: foobot
Allow: /example/page/
Disallow: /example/page/disallowed.gif
"""
MERGED = """
user-agent: ExampleBot
disallow: /foo
disallow: /bar

user-agent: ExampleBot
disallow: /baz
"""
SPECIAL_CHARACTERS = """
User-Agent: * # everybody
Disallow: /
Allow: /this/path/exactly$
Allow: /this/*/exactly
"""


class Host(FakeServer):
    """Answers with `robots`, whatever is asked for."""

    robots = Answer()

    def answer(self, request: Request) -> Answer:
        return self.robots


@pytest.fixture
def host() -> Iterator[Host]:
    with Host() as host:
        yield host


# Sections 5.1, 5.2, 2.2.1, 2.2.3 and 2.2.2.
@pytest.mark.parametrize(
    ("robots", "agent", "allowed", "forbidden"),
    [
        (SIMPLE, "anybot", "/publications/ /a.gif.html /", "/a.gif /example/page.html"),
        (SIMPLE, "foobot", "/example/page.html /example/allowed.gif", "/ /publications/ /example/other.gif"),
        (SIMPLE, "barbot", "/example/other.html /a.gif", "/example/page.html"),
        (SIMPLE, "bazbot", "/example/other.html /a.gif", "/example/page.html"),
        (SIMPLE, "quxbot", "/ /example/page.html /a.gif", ""),
        (LONGEST_MATCH, "foobot", "/example/page/ /example/page/allowed.gif", "/example/page/disallowed.gif"),
        (MERGED, "examplebot", "/", "/foo /bar /baz"),
        (
            SPECIAL_CHARACTERS,
            "foobot",
            "/this/path/exactly /this/or/that/exactly /this/a/exactly/b",
            "/this /this/other",
        ),
        ("User-agent: *\nDisallow: /a\nAllow: /a\n", "foobot", "/a", ""),
        ("User-agent: *\nDisallow: /foo/bar?baz=quz", "foobot", "/foo/bar", "/foo/bar?baz=quz"),
        ("User-agent: *\nDisallow: /a?b=https://foo.bar", "foobot", "/a", "/a?b=https://foo.bar"),
        ("User-agent: *\nDisallow: /foo/bar/ツ", "foobot", "/foo/bar/", "/foo/bar/%E3%83%84 /foo/bar/ツ"),
        ("User-agent: *\nDisallow: /foo/bar/%62%61%7A", "foobot", "/foo/bar/", "/foo/bar/baz"),
        ("\ufeffUser-agent: *\r\nDisallow: /a\r\n", "foobot", "/", "/a"),
    ],
)
def test_examples_of_the_rfc(
    client: PoliteClient, host: Host, robots: str, agent: str, allowed: str, forbidden: str
) -> None:
    host.robots = Answer(200, robots.encode())
    reader = Robots(client, agent)
    paths = [*allowed.split(), *forbidden.split()]
    assert [path for path in paths if reader.allows(host.url + path)] == allowed.split()
    assert host.hits == {"/robots.txt": 1}


@pytest.mark.parametrize("is_packed", [False, True])
def test_of_a_long_file_the_beginning_counts(client: PoliteClient, host: Host, is_packed: bool) -> None:
    body = b"\n".join([b"User-agent: *", b"Disallow: /a", b"#" * (500 << 10), b"Disallow: /b"])
    host.robots = Answer(200, body, has_length=False)
    if is_packed:
        host.robots = Answer(200, gzip.compress(body), {"Content-Encoding": "gzip"})
    robots = Robots(client)
    assert not robots.allows(f"{host.url}/a")
    assert robots.allows(f"{host.url}/b")


@pytest.mark.parametrize("status", [401, 403, 404, 410, 451])
def test_no_such_file_means_yes(client: PoliteClient, host: Host, status: int) -> None:
    host.robots = Answer(status, b"User-agent: *\nDisallow: /")
    assert Robots(client).allows(f"{host.url}/a")


@pytest.mark.parametrize(
    ("answer", "num_asked", "reason"),
    [
        (Answer(302, headers={"Location": "/robots.txt"}), 6, "redirect-loop"),
        (Answer(200, b"no gzip", {"Content-Encoding": "gzip"}), 1, "encoding"),
        (Answer(304), 1, "refused"),
    ],
)
def test_a_file_broken_for_good_means_no_and_is_asked_for_once(
    client: PoliteClient, host: Host, answer: Answer, num_asked: int, reason: str
) -> None:
    host.robots = answer
    robots = Robots(client)
    for _ in range(2):
        with pytest.raises(DownloadError, match=f"/robots.txt: {reason}$") as caught:
            robots.allows(f"{host.url}/a")
        assert caught.value.reason == "robots-broken"
        assert not isinstance(caught.value, PassingError)
    assert host.hits["/robots.txt"] == num_asked


def test_a_file_that_cannot_be_had_now_means_no_and_is_asked_for_again(
    client: PoliteClient, host: Host
) -> None:
    host.robots = Answer(500)
    robots = Robots(client)
    with pytest.raises(PassingError, match=r"/robots.txt: server-error$") as caught:
        robots.allows(f"{host.url}/a")
    assert caught.value.reason == "robots-unknown"
    host.robots = Answer(404)
    assert robots.allows(f"{host.url}/a")


def test_what_keeps_pictures_away_as_well_has_its_own_name(client: PoliteClient, host: Host) -> None:
    with closing(PoliteClient(ClientConfig())) as strict, pytest.raises(DownloadError) as caught:
        Robots(strict).allows(f"{host.url}/a")
    assert caught.value.reason == "private-address"
    client.close()
    with pytest.raises(PassingError) as caught:
        Robots(client).allows(f"{host.url}/a")
    assert caught.value.reason == "stopped"


@pytest.mark.parametrize(
    ("delay", "per_second"),
    [("2", 0.5), ("0.5", 2.0), ("0.01", OWN.per_second), ("soon", OWN.per_second), ("0", OWN.per_second)],
)
def test_a_crawl_delay_slows_the_pace_and_never_speeds_it_up(
    host: Host, delay: str, per_second: float
) -> None:
    netloc = host.url.removeprefix("http://")
    host.robots = Answer(200, f"User-agent: *\nCrawl-delay: {delay}\n".encode())
    with closing(PoliteClient(ClientConfig(allow_private_hosts=True))) as client:
        assert isinstance(client.gate, Gate)
        client.gate.set_limit(netloc, OWN)
        assert Robots(client).allows(f"{host.url}/a")
        limit = client.gate._limits[netloc]
    assert (limit.per_second, limit.bytes_per_second) == (per_second, OWN.bytes_per_second)


def test_a_crawl_delay_of_a_day_is_not_waited_for(client: PoliteClient, host: Host) -> None:
    host.robots = Answer(200, b"User-agent: *\nCrawl-delay: 86400\n")
    robots = Robots(client)
    for _ in range(2):
        with pytest.raises(
            PassingError, match=r"/robots.txt: asks for 86400 s between two requests$"
        ) as caught:
            robots.allows(f"{host.url}/a")
        assert caught.value.reason == "rate-limited"
    assert host.hits == {"/robots.txt": 1}
