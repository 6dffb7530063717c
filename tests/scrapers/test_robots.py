"""robots.txt by the book: RFC 9309's own examples, files too long or too broken to read, and crawl delays."""

import dataclasses
import gzip
from collections.abc import Iterator
from contextlib import closing
from typing import NoReturn

import pytest

from scrapers.client import PoliteClient
from scrapers.config import ClientConfig
from scrapers.errors import DownloadError, PassingError
from scrapers.gate import Gate
from scrapers.robots import Robots
from scrapers.source import HostLimit
from tests.fakes.server import Answer, FakeServer, Request

OWN = HostLimit(per_second=4, burst=4, concurrency=2, bytes_per_second=1e6)
ONE_BY_ONE = dataclasses.replace(OWN, burst=1, concurrency=1)
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


@pytest.mark.parametrize(("status", "reason"), [(500, "server-error"), (429, "rate-limited")])
def test_a_file_that_cannot_be_had_now_means_no_and_is_asked_for_again(
    client: PoliteClient, host: Host, status: int, reason: str
) -> None:
    host.robots = Answer(status)
    robots = Robots(client)
    with pytest.raises(PassingError, match=f"/robots.txt: {reason}$") as caught:
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


@pytest.mark.parametrize("reason", ["bad-url", "dns", "private-address", "stopped", "tls"])
def test_what_would_befall_a_picture_too_is_told_by_its_name(
    client: PoliteClient, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    def attempt(*args: object, **options: object) -> NoReturn:
        raise DownloadError(reason, "why")

    monkeypatch.setattr(client, "attempt", attempt)
    with pytest.raises(DownloadError, match=r"^why$") as caught:
        Robots(client).allows("https://a.example/a")
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        ("2", dataclasses.replace(ONE_BY_ONE, per_second=0.5)),
        ("0.5", dataclasses.replace(ONE_BY_ONE, per_second=2.0)),
        ("0.01", ONE_BY_ONE),
        ("2\nUser-agent: bend\nCrawl-delay: 1", dataclasses.replace(ONE_BY_ONE, per_second=1.0)),
        ("soon", OWN),
        ("0", OWN),
    ],
)
def test_a_crawl_delay_slows_the_pace_and_never_speeds_it_up(
    host: Host, delay: str, expected: HostLimit
) -> None:
    netloc = host.url.removeprefix("http://")
    host.robots = Answer(200, f"User-agent: *\nCrawl-delay: {delay}\n".encode())
    with closing(PoliteClient(ClientConfig(allow_private_hosts=True))) as client:
        assert isinstance(client.gate, Gate)
        client.gate.set_limit(netloc, OWN)
        assert Robots(client).allows(f"{host.url}/a")
        assert client.gate._limits[netloc] == expected


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


class Shared:
    """What the processes of a scrape remember together."""

    def __init__(self, told: dict[str, str]) -> None:
        self.told = told

    def recall(self, key: str) -> str | None:
        return self.told.get(key)

    def remember(self, key: str, text: str) -> None:
        self.told[key] = text


def test_what_one_process_has_fetched_the_others_do_not_ask_for(client: PoliteClient, host: Host) -> None:
    memory = Shared({})
    host.robots = Answer(200, b"User-agent: *\nDisallow: /a\n")
    for _ in range(2):
        robots = Robots(client, memory=memory)
        assert not robots.allows(f"{host.url}/a")
        assert robots.allows(f"{host.url}/b")
    assert host.hits == {"/robots.txt": 1}
    assert memory.told == {f"{host.url}/robots.txt": host.robots.body.decode()}


def test_each_origin_has_rules_of_its_own(client: PoliteClient) -> None:
    origins = ["http://a.example", "https://a.example", "https://a.example:8443", "https://b.example"]
    memory = Shared({f"{at}/robots.txt": f"User-agent: *\nDisallow: /{i}" for i, at in enumerate(origins)})
    robots = Robots(client, memory=memory)
    for number, origin in enumerate(origins):
        allowed = [robots.allows(f"{origin}/{path}/a.jpg?size=large") for path in range(len(origins))]
        assert [path for path, is_allowed in enumerate(allowed) if not is_allowed] == [number]
