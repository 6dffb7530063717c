"""Whole scrapes against fakes: what is kept, in which order, resumed, and stopped."""

import dataclasses
import errno
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scrapers import manifest
from scrapers.errors import FolderError, ScraperError, SourceError
from scrapers.gather import gather, preview
from scrapers.manifest import Entry
from scrapers.source import ImageRef
from tests.fakes.commons import FakeCommons
from tests.fakes.openverse import FakeOpenverse
from tests.fakes.pictures import jpeg, pixels
from tests.fakes.server import Answer, FakeServer, Request
from tests.scrapers.conftest import HURRIED, content_of, scrape_config


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines()]


def listing(folder: Path, *urls: str) -> str:
    path = folder / "list.txt"
    path.write_text("".join(f"{url}\n" for url in urls))
    return str(path)


def of_urls(out: Path, query: str, **settings: Any) -> Any:
    return scrape_config(out, query, **{"sources": ("urls",), "licenses": ("unknown",), **settings})


def test_two_sources_and_two_queries_are_mixed_from_the_start(tmp_path: Path) -> None:
    out = tmp_path / "rocks"
    with FakeOpenverse() as openverse, FakeCommons() as commons:
        environ = {"BEND_OPENVERSE_URL": openverse.url, "BEND_COMMONS_URL": commons.url}
        seen: list[Entry] = []
        summary = gather(scrape_config(out, "rocks", "bark", count=24), environ=environ, watch=seen.append)
    lines = lines_of(out)
    kept = [line for line in lines if line["status"] == "kept"]
    assert len(kept) == summary.num_kept == 24
    assert summary.is_complete
    assert [line["source"] for line in lines[:4]] == ["openverse", "commons", "openverse", "commons"]
    assert [line["query"] for line in lines[:4]] == ["rocks", "rocks", "bark", "bark"]
    assert len(seen) == len(lines)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [".scrape", "manifest.jsonl", *(line["file"] for line in kept)]
    )
    for line in kept:
        assert {"license", "page_url", "sha256", "phash", "attribution"} <= set(line)
        seed = int(line["id"].rpartition("-")[2])
        assert (out / line["file"]).read_bytes() == jpeg(seed)


def test_no_more_is_fetched_than_is_wanted(tmp_path: Path) -> None:
    with FakeOpenverse() as fake:
        config = scrape_config(tmp_path / "out", sources=("openverse",), count=7, workers=16)
        gather(config, environ={"BEND_OPENVERSE_URL": fake.url})
        assert fake.media_host.hits.total() == 7
        assert fake.hits["/v1/images/"] == 1


def test_refusals_stand_in_the_manifest(tmp_path: Path) -> None:
    with FakeServer() as server:
        query = listing(
            tmp_path,
            f"{server.url}/media/1.jpg",
            f"{server.url}/media/1.jpg",
            f"{server.url}/media/1.jpg?again",
            f"{server.url}/media/1-small.jpg",
            f"{server.url}/media/x.jpg",
            f"{server.url}/media/2-small.jpg",
            "ftp://example.org/a.jpg",
        )
        config = of_urls(tmp_path / "out", query, min_size=100)
        summary = gather(config, environ={})
    reasons = [line.get("reason") for line in lines_of(tmp_path / "out")]
    assert reasons == [None, "same-url", "same-bytes", "too-small", "not-found", "too-small", "bad-url"]
    assert summary.refused == {"same-url": 1, "same-bytes": 1, "too-small": 2, "not-found": 1, "bad-url": 1}


def test_near_duplicates_are_refused_by_the_first_in_the_list(tmp_path: Path) -> None:
    class Twice(FakeServer):
        def answer(self, request: Request) -> Answer:
            if request.path == "/first.jpg":
                time.sleep(0.2)  # comes last, and is still the first
            import io

            buffer = io.BytesIO()
            pixels(5, 500 if "first" in request.path else 300).save(buffer, "JPEG", quality=80)
            return Answer(200, buffer.getvalue())

    with Twice() as server:
        query = listing(
            tmp_path, f"{server.url}/first.jpg", f"{server.url}/second.jpg", f"{server.url}/third.jpg"
        )
        gather(of_urls(tmp_path / "out", query), environ={})
    lines = lines_of(tmp_path / "out")
    assert [line.get("reason") for line in lines] == [None, "near-duplicate", "near-duplicate"]
    assert lines[0]["image_url"].endswith("first.jpg")
    assert lines[1]["detail"] == f"looks like {lines[0]['file']}"


def test_a_second_run_does_nothing_and_a_larger_count_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with FakeOpenverse() as fake:
        environ = {"BEND_OPENVERSE_URL": fake.url}
        config = scrape_config(out, sources=("openverse",), count=5)
        gather(config, environ=environ)
        before = content_of(out)
        asked = fake.hits.total() + fake.media_host.hits.total()
        assert gather(config, environ=environ).num_new == 0
        assert fake.hits.total() + fake.media_host.hits.total() == asked
        assert content_of(out) == before
        gather(dataclasses.replace(config, count=12), environ=environ)
        assert fake.media_host.hits.total() == 12
        assert fake.hits["/v1/images/"] == 1
        at_once = scrape_config(tmp_path / "at_once", sources=("openverse",), count=12)
        gather(at_once, environ=environ)
    assert content_of(out) == content_of(tmp_path / "at_once")


def test_deleted_pictures_stay_away_and_are_made_up_for(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with FakeOpenverse() as fake:
        environ = {"BEND_OPENVERSE_URL": fake.url}
        config = scrape_config(out, sources=("openverse",), count=5)
        gather(config, environ=environ)
        ugly = out / lines_of(out)[2]["file"]
        ugly.unlink()
        summary = gather(config, environ=environ)
        assert (summary.num_kept, summary.num_new, summary.num_removed) == (5, 1, 1)
        assert not ugly.exists()


def test_refusals_for_a_licence_are_judged_anew(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with FakeServer() as server:
        query = listing(tmp_path, *(f"{server.url}/media/{seed}.jpg" for seed in range(3)))
        strict = of_urls(out, query, licenses=("by",))
        assert gather(strict, environ={}).refused == {"licence": 3}
        assert gather(strict, environ={}).refused == {"licence": 3}
        assert len(lines_of(out)) == 3
        summary = gather(of_urls(out, query), environ={})
        assert (summary.num_kept, summary.refused) == (3, {})
        assert len(lines_of(out)) == 6


def test_retry_looks_again_and_writes_only_what_changed(tmp_path: Path) -> None:
    class Mended(FakeServer):
        is_mended = False

        def answer(self, request: Request) -> Answer:
            if request.path in ("/gone.jpg", "/robots.txt"):
                return Answer(410)
            return Answer(200, jpeg(3)) if self.is_mended else Answer(500)

    out = tmp_path / "out"
    with Mended() as server:
        query = listing(
            tmp_path, f"{server.url}/gone.jpg", f"{server.url}/ill.jpg", f"{server.url}/media/1.jpg"
        )
        config = of_urls(out, query)
        assert gather(config, environ={}).refused == {"gone": 1, "server-error": 1}
        server.is_mended = True
        assert gather(config, environ={}).num_new == 0
        summary = gather(dataclasses.replace(config, retry=True), environ={})
    assert (summary.num_kept, summary.refused) == (2, {"gone": 1})
    assert [line.get("reason") for line in lines_of(out)] == ["gone", "server-error", None, None]


def test_an_absent_network_stops_the_scrape_and_costs_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with FakeServer() as server:
        urls = [f"{server.url}/media/{seed}.jpg" for seed in range(40)]
    query = listing(tmp_path, *urls)
    with pytest.raises(ScraperError, match="20 pictures in a row could not be reached"):
        gather(of_urls(out, query), environ={})
    assert not out.exists()
    assert gather(of_urls(out, query, keep_going=True), environ={}).refused == {"robots-unknown": 40}


def test_a_host_whose_robots_txt_is_broken_is_no_absent_network(tmp_path: Path) -> None:
    class Looping(FakeServer):
        def answer(self, request: Request) -> Answer:
            return Answer(302, headers={"Location": "/robots.txt"})

    out = tmp_path / "out"
    with Looping() as looping, FakeServer() as server:
        urls = [f"{looping.url}/{number}.jpg" for number in range(25)]
        config = of_urls(out, listing(tmp_path, *urls, f"{server.url}/media/1.jpg"))
        summary = gather(config, environ={})
        assert (summary.num_kept, summary.refused) == (1, {"robots-broken": 25})
        assert set(looping.hits) == {"/robots.txt"}
        assert gather(config, environ={}).refused == {"robots-broken": 25}
        assert len(lines_of(out)) == 26


def test_a_source_that_fails_does_not_take_the_others_along(tmp_path: Path) -> None:
    out = tmp_path / "out"
    said: list[str] = []
    with FakeOpenverse() as openverse, FakeCommons() as commons:
        openverse.is_blocked = True
        environ = {"BEND_OPENVERSE_URL": openverse.url, "BEND_COMMONS_URL": commons.url}
        config = scrape_config(out, count=6)
        summary = gather(config, environ=environ, warn=said.append)
        assert summary.kept_by_source == {"commons": 6}
        assert "its network refuses this address" in summary.failures[0]
        assert said == summary.failures
        openverse.is_blocked = False
        summary = gather(dataclasses.replace(config, count=10), environ=environ)
        assert summary.kept_by_source == {"commons": 6, "openverse": 4}
    assert len(lines_of(out)) == 10 + summary.refused.total()


def test_all_sources_failing_is_an_error(tmp_path: Path) -> None:
    with FakeOpenverse() as openverse:
        openverse.is_blocked = True
        with pytest.raises(SourceError, match=r"openverse: .* answered 403; its network refuses"):
            config = scrape_config(tmp_path / "out", sources=("openverse",))
            gather(config, environ={"BEND_OPENVERSE_URL": openverse.url})


@pytest.mark.parametrize("source", ["folder", "urls"])
def test_a_lone_failure_is_told_once_and_leaves_no_folder(tmp_path: Path, source: str) -> None:
    said: list[str] = []
    config = scrape_config(tmp_path / "out", str(tmp_path / "absent"), sources=(source,))
    with pytest.raises(SourceError, match="absent: no such"):
        gather(config, environ={}, warn=said.append)
    with pytest.raises(SourceError, match="absent: no such"):
        list(preview(config, environ={}, warn=said.append))
    assert said == []
    assert not (tmp_path / "out").exists()


def test_files_of_any_name_and_kind_are_recorded(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for seed, name in enumerate(["\udcff\udcfe.jpg", "写真.jpg", "new\nline.jpg", "100%25 a%20b.jfif"]):
        (folder / name).write_bytes(jpeg(seed))
    (folder / "phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(500))
    os.mkfifo(folder / "pipe.jpg")
    (folder / "dead.jpg").symlink_to(tmp_path / "absent")
    out = tmp_path / "out"
    config = scrape_config(out, str(folder), sources=("folder",), licenses=("unknown",))
    for _ in range(2):
        summary = gather(config, environ={})
        assert summary.num_kept == 4
        assert summary.refused == {"not-a-picture": 1, "not-found": 1, "unreadable": 1}
    assert {line["title"] for line in lines_of(out) if "file" in line} == {
        "\\udcff\\udcfe",
        "写真",
        "new line",
        "100%25 a%20b",
    }


def test_half_a_character_in_an_answer_costs_nothing(tmp_path: Path) -> None:
    class Odd(FakeOpenverse):
        def _record(self, index: int) -> dict[str, object]:
            return super()._record(index) | {"title": "rock \ud83d", "creator": "\udc00"}

    with Odd() as openverse:
        config = scrape_config(tmp_path / "out", sources=("openverse",), count=2)
        summary = gather(config, environ={"BEND_OPENVERSE_URL": openverse.url})
    assert summary.num_kept == 2
    assert {line["title"] for line in lines_of(tmp_path / "out")} == {"rock \\ud83d"}


def test_foreign_folders_and_busy_ones_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(FolderError, match="holds files, but no scrape"):
        gather(of_urls(tmp_path, "http://127.0.0.1:9/a.jpg"), environ={})
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    out = tmp_path / "out"
    (out / ".scrape" / "fetched").mkdir(parents=True)
    with sqlite3.connect(out / ".scrape" / "journal.sqlite") as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(FolderError, match="another scrape is at work"):
            gather(of_urls(out, "http://127.0.0.1:9/a.jpg"), environ={})
    other.close()


def test_an_unknown_source_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="pexels: no such source; choose from openverse, commons"):
        gather(scrape_config(tmp_path / "out", sources=("pexels",)), environ={})
    assert not (tmp_path / "out").exists()


def test_preview_writes_nothing_and_fetches_no_picture(tmp_path: Path) -> None:
    said: list[str] = []
    with FakeCommons() as commons:
        config = scrape_config(tmp_path / "out", sources=("commons",), count=6)
        found = list(preview(config, warn=said.append, environ={"BEND_COMMONS_URL": commons.url}))
        assert not commons.media_host.hits
    assert sum(isinstance(item, ImageRef) for item in found) == 6
    assert [item.reason for item in found if isinstance(item, Entry)] == ["licence"]
    assert not (tmp_path / "out").exists()


def test_preview_refuses_addresses_that_nobody_may_ask_for(tmp_path: Path) -> None:
    query = listing(tmp_path, "http://10.0.0.1/a.jpg", "file:///etc/passwd", "http://host.invalid/a.jpg")
    config = of_urls(tmp_path / "out", query, client=dataclasses.replace(HURRIED, allow_private_hosts=False))
    found = list(preview(config, warn=lambda _: None, environ={}))
    assert [item.reason if isinstance(item, Entry) else None for item in found] == [
        "private-address",
        "bad-url",
        None,
    ]


def test_preview_of_nothing_is_an_error(tmp_path: Path) -> None:
    with FakeOpenverse() as openverse:
        openverse.is_blocked = True
        config = scrape_config(tmp_path / "out", sources=("openverse",))
        with pytest.raises(SourceError, match="answered 403"):
            list(preview(config, warn=lambda _: None, environ={"BEND_OPENVERSE_URL": openverse.url}))


def test_linked_folders_are_walked_once(tmp_path: Path) -> None:
    photos, shelf = tmp_path / "photos", tmp_path / "shelf"
    photos.mkdir()
    shelf.mkdir()
    (photos / "rock.jpg").write_bytes(jpeg(1))
    (shelf / "one").symlink_to(photos)
    (shelf / "two").symlink_to(photos)
    (photos / "back").symlink_to(shelf)
    config = scrape_config(tmp_path / "out", str(shelf), sources=("folder",), licenses=("unknown",))
    assert gather(config, environ={}).num_kept == 1
    assert [line["id"] for line in lines_of(tmp_path / "out")] == ["one/rock.jpg"]


@pytest.mark.parametrize("name", ["kept", "link/kept"])
def test_a_scrape_takes_no_pictures_of_its_own(tmp_path: Path, name: str) -> None:
    photos = tmp_path / "photos"
    (photos / "moss").mkdir(parents=True)
    (photos / "a.jpg").write_bytes(jpeg(1))
    (photos / "moss" / "b.jpg").write_bytes(jpeg(2))
    (tmp_path / "link").symlink_to(photos)
    out = photos / "kept" if name == "kept" else tmp_path / name
    config = scrape_config(out, str(photos), sources=("folder",), licenses=("unknown",))
    assert [found.id for found in preview(config, warn=str, environ={}) if isinstance(found, ImageRef)] == [
        "a.jpg",
        "moss/b.jpg",
    ]
    for _ in range(2):  # the second finds a folder that is full
        assert gather(config, environ={}).num_kept == 2
        assert [line["id"] for line in lines_of(out)] == ["a.jpg", "moss/b.jpg"]
    assert len(list(preview(config, warn=str, environ={}))) == 2


def test_merging_folders_keeps_their_licences(tmp_path: Path) -> None:
    first = tmp_path / "first"
    with FakeOpenverse() as fake:
        gather(
            scrape_config(first, sources=("openverse",), count=3), environ={"BEND_OPENVERSE_URL": fake.url}
        )
    shutil.copy(first / lines_of(first)[0]["file"], first / "copy.jpg")
    summary = gather(scrape_config(tmp_path / "second", str(first), sources=("folder",)), environ={})
    assert (summary.num_kept, summary.refused) == (3, {"licence": 1})
    assert {line["license"] for line in lines_of(tmp_path / "second") if "file" in line} == {
        line["license"] for line in lines_of(first) if "file" in line
    }


_SCRAPE = """
import sys
from pathlib import Path
from scrapers.gather import gather
from tests.scrapers.conftest import scrape_config
out, openverse, commons, query = sys.argv[1:]
environ = {"BEND_OPENVERSE_URL": openverse, "BEND_COMMONS_URL": commons}
sources = ("openverse", "commons", "urls")
config = scrape_config(Path(out), query, sources=sources, count=70, licenses=("cc0", "pdm", "by", "by-sa", "unknown"))
gather(config, environ=environ)
"""


class Rough(FakeServer):
    """Pictures behind some latency, dead links and repeats among them."""

    latency_s = 0.01

    def answer(self, request: Request) -> Answer:
        if request.path == "/robots.txt":
            return Answer(404)
        number = int(request.path[1:].removesuffix(".jpg"))
        if number % 7 == 0:
            return Answer(410)
        return Answer(200, jpeg(5000 + number % 25), {"ETag": f'"{number}"'}, pace=(3000, 0.005))


def kill_and_compare(tmp_path: Path, num_kills: int, seed: int) -> None:
    """Kill a scrape at random moments and start it again, until it ends; compare with an unbroken one."""
    rng = random.Random(seed)
    repository = Path(__file__).resolve().parents[2]
    with FakeOpenverse() as openverse, FakeCommons() as commons, Rough() as rough:
        query = listing(tmp_path, *(f"{rough.url}/{number}.jpg" for number in range(60)))

        def command(out: str) -> list[str]:
            return [sys.executable, "-c", _SCRAPE, str(tmp_path / out), openverse.url, commons.url, query]

        subprocess.run(command("whole"), cwd=repository, check=True)
        servers = (openverse, commons, rough, openverse.media_host, commons.media_host)
        unbroken = [dict(server.hits) for server in servers]
        for server in servers:
            server.hits.clear()

        def requests() -> int:
            return sum(sum(server.hits.values()) for server in servers)

        # Moments are counted in requests, so that they are spread over the work however fast the machine is.
        step = 3 * sum(sum(hits.values()) for hits in unbroken) // (4 * num_kills)
        kills = 0
        while kills < num_kills:
            moment = requests() + rng.randint(1, step)
            with subprocess.Popen(command("broken"), cwd=repository) as process:
                while process.poll() is None and requests() < moment:
                    time.sleep(0.001)
                if process.returncode == 0:
                    break
                time.sleep(rng.uniform(0, 0.02))
                process.kill()
                kills += 1
        subprocess.run(command("broken"), cwd=repository, check=True)
        assert kills > num_kills // 2, "the scrape ended before it was killed often enough"
        assert content_of(tmp_path / "broken") == content_of(tmp_path / "whole")
        for server, before in zip(servers, unbroken, strict=True):
            # A request whose answer died with the process is made again; nothing else is.
            assert set(server.hits) == set(before)
            extra = sum(server.hits.values()) - sum(before.values())
            assert extra <= 6 * kills, f"{extra} more requests over {kills} kills"


@pytest.mark.slow
def test_killed_once_and_started_again(tmp_path: Path) -> None:
    kill_and_compare(tmp_path, num_kills=1, seed=0)


@pytest.mark.slow
def test_killed_at_twenty_random_moments(tmp_path: Path) -> None:
    kill_and_compare(tmp_path, num_kills=20, seed=1)


def test_a_disk_that_is_full_when_the_manifest_is_closed_is_told_with_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(manifest, "os", SimpleNamespace(**{**vars(os), "fsync": full}))
    with FakeServer() as fake, pytest.raises(OSError, match="No space left") as caught:
        gather(of_urls(tmp_path / "out", listing(tmp_path, f"{fake.url}/media/1.jpg")))
    assert caught.value.filename == str(tmp_path / "out")


def test_words_that_are_no_text_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    config = scrape_config(tmp_path / "out", os.fsdecode(b"caf\xe9"), sources=("openverse",))
    with pytest.raises(SourceError, match="openverse: cannot search for words that are not in UTF-8"):
        gather(config, environ={})
    assert not (tmp_path / "out").exists()
