"""How sources ask: answers kept, keys out of sight, refusals in the service's own words."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from scrapers.api import Api
from scrapers.client import PoliteClient
from scrapers.errors import SourceError
from scrapers.journal import Journal
from tests.fakes.server import Answer, FakeServer, Request, as_html, as_json
from tests.scrapers.conftest import HURRIED


class Service(FakeServer):
    def answer(self, request: Request) -> Answer:
        answers = {
            "/ok": as_json({"q": request.query.get("q"), "echo": request.query.get("key")}),
            "/utf-16": Answer(
                200, json.dumps({"q": "Möwe", "echo": "s3cret"}, ensure_ascii=False).encode("utf-16")
            ),
            "/detail": as_json({"error": {"code": 400, "message": "wrong\x1b <key>"}}, 400),
            "/plain": Answer(400, b"[ERROR 400] Invalid\x1b key s3cret"),
            "/html": as_html("blocked", 403),
            "/not-json": as_html("welcome"),
            "/throttled": as_json({"detail": "slower"}, 429, Retry_After="9999"),
            "/down": Answer(503),
        }
        return answers.get(request.path, Answer(404))


def test_answers_are_asked_for_once_and_hold_no_key(tmp_path: Path) -> None:
    with Service() as server, closing(PoliteClient(HURRIED)) as client:
        for _ in range(2):
            with Journal(tmp_path / "journal.sqlite") as journal:
                api = Api("x", client, journal, secrets=("s3cret",))
                answer = api.get_json(f"{server.url}/ok", {"key": "s3cret", "q": "rocks"})
                assert answer["q"] == "rocks"
        assert server.hits["/ok"] == 1
    for path in tmp_path.iterdir():
        assert b"s3cret" not in path.read_bytes()


def test_answers_in_any_encoding_of_json_are_kept(tmp_path: Path, client: PoliteClient) -> None:
    with Service() as server, Journal(tmp_path / "journal.sqlite") as journal:
        api = Api("x", client, journal, secrets=("s3cret",))
        assert api.get_json(f"{server.url}/utf-16") == {"q": "Möwe", "echo": "s3cret"}
        assert api.get_json(f"{server.url}/utf-16") == {"q": "Möwe", "echo": "…"}
        assert server.hits["/utf-16"] == 1


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/detail", r"x: http://127\.0\.0\.1:\d+/detail\?key=… answered 400 \(wrong <key>\); try another"),
        ("/plain", r"answered 400 \(\[ERROR 400\] Invalid key …\)"),
        ("/html", r"answered 403; the network"),
        ("/not-json", "answered with something that is not JSON"),
        (
            "/throttled",
            r"429 Too Many Requests; it asks for 9999 s of rest; run the same command again later",
        ),
        ("/down", r"503 Service Unavailable; run the same command again later to continue"),
        ("/nowhere", r"answered 404"),
    ],
)
def test_refusals_are_one_line_without_the_key(path: str, words: str, client: PoliteClient) -> None:
    with Service() as server:
        api = Api("x", client, secrets=("s3cret",))
        with pytest.raises(SourceError, match=words) as caught:
            api.get_json(
                f"{server.url}{path}", {"key": "s3cret"}, explain={400: "try another", 403: "the network"}
            )
    assert "s3cret" not in str(caught.value)
    assert str(caught.value).isprintable()


def test_refusals_are_not_kept(tmp_path: Path, client: PoliteClient) -> None:
    with Service() as server, Journal(tmp_path / "journal.sqlite") as journal:
        for _ in range(2):
            with pytest.raises(SourceError):
                Api("x", client, journal).get_json(f"{server.url}/detail")
        assert server.hits["/detail"] == 2
