"""`bend scrape` on a real cluster: the same folder as locally, one politeness for all workers, whoever is killed."""

import dataclasses
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bend.cluster.connection import Cluster
from bend.cluster.fetching import Fetching
from scrapers.gather import gather
from tests.fakes.openverse import FakeOpenverse
from tests.fakes.server import Answer, FakeServer, Request
from tests.scrapers.conftest import HURRIED, content_of, scrape_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs Ray"),
]

PATIENT = dataclasses.replace(HURRIED, connect_timeout_s=30, read_timeout_s=90, total_timeout_s=120)


def of_urls(out: Path, listing: Path, **settings: Any) -> Any:
    return scrape_config(
        out, str(listing), **{"sources": ("urls",), "licenses": ("unknown",), "client": PATIENT, **settings}
    )


def written(path: Path, *urls: str) -> Path:
    path.write_text("".join(f"{url}\n" for url in urls))
    return path


def no_warning(message: str) -> None:
    raise AssertionError(message)


def wait_until_nothing_is_lent(cluster: Cluster) -> None:
    """Wait until the cluster's desk has all places back."""
    desk = cluster.ray.get_actor("desk-2", "bend")
    deadline = time.monotonic() + 60
    while cluster.ray.get(desk.num_lent.remote()):
        assert time.monotonic() < deadline
        time.sleep(0.1)


class Slow(FakeServer):
    """A host that asks for a second between requests, and notes when they came."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def answer(self, request: Request) -> Answer:
        return (
            Answer(200, b"User-agent: *\nCrawl-delay: 1\n") if request.path == "/robots.txt" else Answer(404)
        )

    def media(self, request: Request) -> Answer:
        self.times.append(time.monotonic())
        return super().media(request)


class Sociable(FakeServer):
    """A host whose first visitor waits for a second one."""

    def __init__(self) -> None:
        super().__init__()
        self.met = threading.Event()

    def media(self, request: Request) -> Answer:
        if self.num_active > 1:
            self.met.set()
        self.met.wait(60)
        return super().media(request)


def test_two_workers_share_one_politeness_and_fill_the_local_folder(cluster: Cluster, tmp_path: Path) -> None:
    with Slow() as slow, Sociable() as sociable:
        pairs = [(f"{slow.url}/media/{n}.jpg", f"{sociable.url}/media/{n + 100}.jpg") for n in range(6)]
        odd = (f"{sociable.url}/media/100.jpg?again", f"{sociable.url}/media/none.jpg")
        listing = written(tmp_path / "list.txt", *[url for pair in pairs for url in pair], *odd)
        # One download at a time in each worker, so two at once come from two workers.
        config = of_urls(tmp_path / "there", listing, count=40, workers=1)
        began = time.monotonic()
        summary = gather(config, environ={}, engine=Fetching(cluster, no_warning, shard_size=4))
        assert sociable.met.is_set()
        assert slow.most_active == 1
        # Six requests, a second apart for both workers together. Each by itself would have taken three seconds.
        assert len(slow.times) == 6
        assert slow.times[-1] - began > 4.9
        assert slow.hits["/robots.txt"] <= 2  # each worker may have asked before the other had told
        assert (summary.num_kept, summary.refused) == (12, {"same-bytes": 1, "not-found": 1})
        wait_until_nothing_is_lent(cluster)
        gather(of_urls(tmp_path / "here", listing, count=40), environ={})
    assert content_of(tmp_path / "there") == content_of(tmp_path / "here")
    assert not (tmp_path / "there" / ".scrape" / "shards").exists()


def test_searching_stays_here_and_no_more_is_fetched_than_is_wanted(cluster: Cluster, tmp_path: Path) -> None:
    with FakeOpenverse() as fake:
        environ = {"BEND_OPENVERSE_URL": fake.url}
        settings = {"sources": ("openverse",), "count": 11, "client": PATIENT}
        engine = Fetching(cluster, no_warning, shard_size=4)
        gather(scrape_config(tmp_path / "there", **settings), environ=environ, engine=engine)
        assert fake.hits["/v1/images/"] == 1
        assert fake.media_host.hits.total() == 11
        gather(scrape_config(tmp_path / "here", **settings), environ=environ)
    assert content_of(tmp_path / "there") == content_of(tmp_path / "here")


def test_a_killed_worker_costs_its_shard_only(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, submitted: list[tuple[int, int]]
) -> None:
    warnings: list[str] = []
    with FakeServer() as server:
        urls = [f"{server.url}/media/{n}.jpg" for n in range(16)]
        listing = written(tmp_path / "list.txt", *urls)
        monkeypatch.setenv("BEND_FAILPOINT", "item@000001-*.1:kill:2")
        engine = Fetching(cluster, warnings.append, shard_size=4)
        gather(of_urls(tmp_path / "there", listing, count=16), environ={}, engine=engine)
        assert sorted(submitted) == [(0, 1), (1, 1), (1, 2), (2, 1), (3, 1)]
        assert [text[:12] for text in warnings] == ["shard 000001"]
        again = {path for path, hits in server.hits.items() if hits > 1} - {"/robots.txt"}
        assert again <= {f"/media/{n}.jpg" for n in range(4, 8)}
        wait_until_nothing_is_lent(cluster)
        monkeypatch.delenv("BEND_FAILPOINT")
        gather(of_urls(tmp_path / "here", listing, count=16), environ={})
    assert content_of(tmp_path / "there") == content_of(tmp_path / "here")


def test_a_killed_command_is_gone_on_with(cluster: Cluster, tmp_path: Path) -> None:
    out = tmp_path / "there"
    with FakeServer() as server:
        urls = [f"{server.url}/media/{n}.jpg" for n in range(8)]
        listing = written(tmp_path / "list.txt", *urls, f"{server.url}/media/none.jpg")
        address = cluster.ray.get_runtime_context().gcs_address
        command = [sys.executable, "-m", "bend", "scrape", str(listing), "-o", str(out), "--source", "urls",
                   "--license", "any", "--min-size", "64", "--allow-private-hosts", "--engine", "ray",
                   "--address", address]  # fmt: skip
        died = subprocess.run(
            command,
            check=False,
            env=os.environ | {"BEND_FAILPOINT": "placed:kill:3"},
            capture_output=True,
            text=True,
        )
        assert died.returncode == -signal.SIGKILL, died.stderr
        assert len(list(out.glob("*.jpg"))) == 3
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert f"{out}: 8 of 100 pictures" in done.stdout
        assert "raylet" not in done.stdout
        pictures = {path: hits for path, hits in server.hits.items() if path.startswith("/media/")}
        assert set(pictures.values()) == {1}
        assert len(pictures) == 9
        gather(of_urls(tmp_path / "here", listing, licenses=config_licenses()), environ={})
    assert content_of(out) == content_of(tmp_path / "here")


def config_licenses() -> tuple[str, ...]:
    """What `--license any` takes."""
    from scrapers.licences import parse_accepted

    return parse_accepted("any")
