"""Faults of the real web, each classified correctly, and nothing asked for more often than makes sense."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from scrapers.config import DownloadRules
from scrapers.gather import gather
from scrapers.retry import RetryPolicy
from tests.fakes.faults import FaultServer, large
from tests.fakes.pictures import encoded, jpeg
from tests.scrapers.conftest import HURRIED, scrape_config

# name -> (reason, None where the picture is kept; how often it may be asked for)
FAULTS = {
    "missing": ("not-found", 1),
    "gone": ("gone", 1),
    "legal": ("legal-reasons", 1),
    "forbidden": ("forbidden", 1),
    "broken-server": ("server-error", 3),
    "recovers": (None, 3),
    "early": (None, 2),
    "times-out-once": (None, 2),
    "busy-seconds": (None, 2),
    "busy-date": (None, 2),
    "moved": (None, 1),
    "loop": ("redirect-loop", 6),
    "to-file": ("bad-url", 1),
    "to-no-address": ("bad-url", 1),
    "to-latin-1": ("not-found", 1),
    "html": ("html", 1),
    "svg": ("not-a-picture", 1),
    "empty": ("empty", 1),
    "no-content": ("empty", 1),
    "truncated-picture": ("truncated", 1),
    "garbage": ("not-a-picture", 1),
    "wrong-type": (None, 1),
    "short-once": (None, 2),
    "changes": (None, 2),
    "changes-rudely": (None, 3),
    "range-refused": (None, 3),
    "claims-too-much": (None, 2),
    "claims-too-little": ("truncated", 1),
    "length-without-end": (None, 1),
    "range-without-end": (None, 3),
    "negative-chunk": ("connection", 3),
    "no-length": (None, 1),
    "too-large": ("too-many-bytes", 1),
    "endless": ("too-many-bytes", 1),
    "gzipped": (None, 1),
    "gzipped-in-secret": (None, 1),
    "claims-gzip": (None, 1),
    "gzip-bomb": ("too-many-bytes", 1),
    "slow-body": ("timeout", 3),
    "slow-start": ("timeout", 3),
    "noai": ("opt-out", 1),
    "noindex-for-us": ("opt-out", 1),
    "noindex-for-others": (None, 1),
    "private/a": ("robots", 0),
    "to-private": ("robots", 1),
    "png": (None, 1),
}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Every fault met in one scrape, run twice: manifest by name, hits after each run."""
    folder = tmp_path_factory.mktemp("faults")
    listing = folder / "list.txt"
    client = dataclasses.replace(
        HURRIED,
        read_timeout_s=1.5,
        total_timeout_s=2.2,
        retry=RetryPolicy(num_attempts=3, base_s=0.01, cap_s=0.02, retry_after_cap_s=3),
    )
    for name in FAULTS:  # so that no answer waits for its picture to be painted
        seed = sum(name.replace("-", "_").encode())
        large(seed) if FAULTS[name][1] > 1 else jpeg(seed)
    encoded(99, kind="PNG")
    with FaultServer() as server:
        listing.write_text("".join(f"{server.url}/{name}.jpg\n" for name in FAULTS))
        config = scrape_config(
            folder / "out",
            str(listing),
            sources=("urls",),
            licenses=("unknown",),
            workers=16,
            client=client,
            rules=DownloadRules(max_bytes=2 << 20),
        )
        summary = gather(config, environ={})
        first = server.hits.copy()
        again = gather(config, environ={})
        lines = [json.loads(line) for line in (folder / "out" / "manifest.jsonl").read_text().splitlines()]
        names = {f"{server.url}/{name}.jpg": name for name in FAULTS}
        return (
            {names[line["image_url"]]: line for line in lines},
            first,
            server.hits - first,
            (summary, again),
            folder / "out",
            [request.headers["range"] for request in server.requests if "range" in request.headers],
        )


# Each test covers all faults: they share a scrape that takes seconds, which tests in other processes would repeat.
def test_faults_are_classified(outcome: Any) -> None:
    found = {name: (line["status"] == "kept", line.get("reason")) for name, line in outcome[0].items()}
    assert found == {name: (reason is None, reason) for name, (reason, _) in FAULTS.items()}


def test_faults_are_asked_no_more_than_they_should(outcome: Any) -> None:
    asked = {name: outcome[1][f"/{name}.jpg"] for name in FAULTS}
    assert asked == {name: most for name, (_, most) in FAULTS.items()}


def test_a_second_run_asks_for_nothing(outcome: Any) -> None:
    assert not outcome[2]
    first, again = outcome[3]
    assert (again.num_kept, again.num_new, again.refused) == (first.num_kept, 0, first.refused)


def test_every_kept_file_is_whole(outcome: Any) -> None:
    lines, folder = outcome[0], outcome[4]
    for name in (
        "claims-too-much",
        "gzipped",
        "gzipped-in-secret",
        "claims-gzip",
    ):
        seed = sum(name.replace("-", "_").encode())
        assert (folder / lines[name]["file"]).read_bytes() == jpeg(seed), name
    for name in ("short-once", "range-refused", "range-without-end"):
        seed = sum(name.replace("-", "_").encode())
        assert (folder / lines[name]["file"]).read_bytes() == large(seed), name
    assert (folder / lines["changes"]["file"]).read_bytes() == large(4711)
    assert (folder / lines["changes-rudely"]["file"]).read_bytes() == large(4712)


def test_what_broke_off_is_gone_on_with(outcome: Any) -> None:
    assert outcome[5] == ["bytes=40000-"] * 5


def test_nothing_half_fetched_is_left(outcome: Any) -> None:
    assert not list((outcome[4] / ".scrape" / "fetched").iterdir())


def test_robots_are_asked_once_and_obeyed_wherever_a_redirect_leads(outcome: Any) -> None:
    assert outcome[1]["/robots.txt"] == 1
    assert outcome[1]["/private/b.jpg"] == 0


def test_hours_of_pause_are_not_waited_for(tmp_path: Path) -> None:
    with FaultServer() as server:
        listing = tmp_path / "list.txt"
        listing.write_text(f"{server.url}/busy-for-hours.jpg\n")
        gather(
            scrape_config(tmp_path / "out", str(listing), sources=("urls",), licenses=("unknown",)),
            environ={},
        )
        line = json.loads((tmp_path / "out" / "manifest.jsonl").read_text())
        assert line["reason"] == "rate-limited"
        assert server.hits["/busy-for-hours.jpg"] == 1
