"""A search that misbehaves on its second page: retried or given up as it should be, and no picture fetched twice.

The same for downloads, dozens of faults, is in `tests/scrapers/test_faults.py`; the scoreboard counts both.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest

from scrapers.errors import ScraperError
from scrapers.gather import gather
from scrapers.summary import Summary
from tests.fakes.openverse import FakeOpenverse
from tests.fakes.server import Answer, Request, as_html, as_json
from tests.scrapers.conftest import HURRIED, scrape_config

JSON = {"Content-Type": "application/json"}
Fault = Callable[[], Answer]
# name -> (what the second page answers; how often, None for ever; whether all pictures are got in the end)
FAULTS: dict[str, tuple[Fault, int | None, bool]] = {
    "500 once": (lambda: Answer(500), 1, True),
    "502 once": (lambda: as_html("bad gateway", 502), 1, True),
    "503 twice": (lambda: Answer(503), 2, True),
    "504 once": (lambda: Answer(504), 1, True),
    "520 once": (lambda: Answer(520), 1, True),
    "408 once": (lambda: Answer(408), 1, True),
    "425 once": (lambda: Answer(425), 1, True),
    "429 for a second": (lambda: as_json({"detail": "slow"}, 429, Retry_After="1"), 1, True),
    "429 until a date": (
        lambda: as_json({}, 429, Retry_After=formatdate(time.time() + 2, usegmt=True)),
        1,
        True,
    ),
    "503 for a second": (lambda: Answer(503, headers={"Retry-After": "1"}), 1, True),
    "429 for hours": (lambda: as_json({}, 429, Retry_After="7200"), None, False),
    "500 for ever": (lambda: Answer(500), None, False),
    "400": (lambda: as_json({"detail": "no"}, 400), None, False),
    "401": (lambda: as_json({"detail": "no"}, 401), None, False),
    "403": (lambda: as_html("blocked", 403), None, False),
    "404": (lambda: as_json({"detail": "Not found."}, 404), None, False),
    "a web page": (lambda: as_html("please log in"), None, False),
    "cut JSON": (lambda: Answer(200, b'{"results": [{"id": ', JSON), None, False),
    "an empty body": (lambda: Answer(200, b"", JSON), None, False),
    "a list": (lambda: as_json([1, 2]), None, False),
    "no results": (lambda: as_json({"result_count": 3}), None, False),
    "results of text": (lambda: as_json({"results": "many", "page_count": 9}), None, False),
    "results that are none": (
        lambda: as_json({"results": [None, 3, {"id": []}], "page_count": 9}),
        None,
        False,
    ),
    "nesting": (lambda: Answer(200, b"[" * 100_000, JSON), None, False),
    "no text": (lambda: Answer(200, b"\xff\xfe\x00", JSON), None, False),
}
LASTING_S = {"429 for a second": 1, "503 for a second": 1}
COUNT = 26  # a page and a bit


class Faulty(FakeOpenverse):
    """Openverse whose second page is at fault."""

    def __init__(self, fault: Fault, times: int | None) -> None:
        super().__init__()
        self.fault = fault
        self.times = times
        self.asked: list[float] = []

    def answer(self, request: Request) -> Answer:
        if request.query.get("page") != "2":
            return super().answer(request)
        self.asked.append(time.monotonic())
        if self.times is None or len(self.asked) <= self.times:
            return self.fault()
        return super().answer(request)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_search_at_fault(tmp_path: Path, name: str) -> None:
    fault, times, is_passing = FAULTS[name]
    with Faulty(fault, times) as server:
        summary = scraped(tmp_path, server)
        once = len(server.asked)
        assert 1 <= once <= (HURRIED.retry.num_attempts if times is None else times + 1)
        if name in LASTING_S:
            assert server.asked[1] - server.asked[0] >= LASTING_S[name]
        if is_passing:
            assert (summary.num_kept, summary.failures) == (COUNT, [])
        else:
            assert 0 < summary.num_kept < COUNT
        scraped(tmp_path, server)  # asks again only for what was missing
        assert max(server.media_host.hits.values()) == 1
        if is_passing:
            assert len(server.asked) == once


def scraped(folder: Path, server: Faulty) -> Summary:
    """Scrape; a failed source costs what it has not given, not what it has."""
    config = scrape_config(
        folder / "out",
        sources=("openverse",),
        count=COUNT,
        licenses=("by", "by-sa", "cc0", "pdm"),
        client=replace(HURRIED, retry=replace(HURRIED.retry, retry_after_cap_s=5)),
    )
    try:
        return gather(config, environ={"BEND_OPENVERSE_URL": server.url})
    except ScraperError as error:  # nothing new and a source that failed
        assert "\n" not in str(error)
        return Summary(out=config.out, count=COUNT)
