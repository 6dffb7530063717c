"""`bend scrape` as it is typed: a folder, a zip, a dry run, and one line for every mistake."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bend.cli import bend
from bend.errors import PackageError
from scrapers.errors import ScraperError
from scrapers.sources import SOURCES
from stylegan.archive import DatasetZip
from tests.fakes.openverse import FakeOpenverse
from tests.fakes.server import FakeServer


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOpenverse]:
    with FakeOpenverse() as fake:
        monkeypatch.setenv("BEND_OPENVERSE_URL", fake.url)
        monkeypatch.delenv("BEND_CONTACT", raising=False)
        yield fake


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(bend, ["scrape", *map(str, arguments)])


def test_fills_a_folder(service: FakeOpenverse, tmp_path: Path) -> None:
    out = tmp_path / "rocks"
    done = run("mossy rocks", "-o", out, "--source", "openverse", "--count", 3, "--allow-private-hosts")
    assert done.exit_code == 0, done.output
    assert f"{out}: 3 of 3 pictures" in done.stdout
    assert "no --contact" in done.stderr
    assert len(list(out.glob("openverse-*.jpg"))) == 3
    assert service.requests[0].query["q"] == "mossy rocks"


def test_a_word_may_be_the_name_of_the_folder_that_is_filled(
    service: FakeOpenverse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for count in (2, 3):  # the second time, the folder is there
        done = run("rocks", "-o", "rocks", "--source", "openverse", "--count", count, "--allow-private-hosts")
        assert done.exit_code == 0, done.output
    assert len(list(Path("rocks").glob("openverse-*.jpg"))) == 3
    refused = run("./rocks", "-o", "rocks", "--source", "openverse")
    assert refused.exit_code == 2
    assert "./rocks is a file or folder" in refused.stderr


def test_contact_travels_in_the_user_agent(service: FakeOpenverse, tmp_path: Path) -> None:
    done = run("a", "-o", tmp_path / "a", "--source", "openverse", "--count", 1, "--allow-private-hosts",
               "--contact", "me@example.org", "--json")  # fmt: skip
    assert "no --contact" not in done.stderr
    assert "(me@example.org)" in service.requests[0].headers["user-agent"]
    assert json.loads(done.stdout)["complete"] is True


def test_packages_the_folder(service: FakeOpenverse, tmp_path: Path) -> None:
    zip_path = tmp_path / "rocks.zip"
    arguments = ("rocks", "-o", tmp_path / "rocks", "--source", "openverse", "--count", 4, "--allow-private-hosts",
                 "--zip", zip_path, "--resolution", 64)  # fmt: skip
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    data = DatasetZip(zip_path)
    assert (len(data), data.resolution) == (4, 64)
    assert {source["license"] for source in data.sources} <= {
        "CC-BY-2.0",
        "CC-BY-SA-2.0",
        "CC0-1.0",
        "CC-PDM-1.0",
    }
    again = run(*arguments)
    assert isinstance(again.exception, PackageError)
    assert "is there already; choose another --zip, or --force" in str(again.exception)
    assert run(*arguments, "--force").exit_code == 0


def test_dry_run_shows_and_writes_nothing(service: FakeOpenverse, tmp_path: Path) -> None:
    done = run(
        "a", "-o", tmp_path / "a", "--source", "openverse", "--count", 3, "--allow-private-hosts", "--dry-run"
    )
    assert "openverse  CC-BY-2.0  4000x3000  https://example.org/photos/1  Rock 1" in done.stdout
    assert "would fetch 3 pictures" in done.stdout
    assert not (tmp_path / "a").exists()
    assert not service.media_host.hits


def test_dry_run_prints_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    record = {
        "source": "x",
        "id": "1",
        "image_url": "https://a.example/",
        "file": "a.jpg",
        "title": "\x1b[31mMoss\x07",
    }
    (tmp_path / "manifest.jsonl").write_text(json.dumps(record) + "\n")
    done = run(tmp_path, "-o", tmp_path / "out", "--source", "folder", "--license", "any", "--dry-run")
    assert done.stdout.splitlines()[0].endswith(r"/a.jpg  \x1b[31mMoss\x07")


def test_dry_run_reports_to_programs(service: FakeOpenverse, tmp_path: Path) -> None:
    done = run("a", "-o", tmp_path / "a", "--source", "openverse", "--count", 3, "--allow-private-hosts",
               "--dry-run", "--json")  # fmt: skip
    record = json.loads(done.stdout)
    assert [picture["source"] for picture in record["pictures"]] == ["openverse"] * 3
    assert record["pictures"][0]["license"] == "CC-BY-2.0"
    assert record["refused"] == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((" ", "-o", "a"), "give at least one, and none empty"),
        (("rocks", "-o", "a", "--zip", "a.zip", "--resolution", 63), "must be a power of two from 4 to 8192"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(arguments: tuple[str | Path, ...], message: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_private_addresses_are_refused_unless_allowed(tmp_path: Path) -> None:
    with FakeServer() as server:
        arguments = (
            f"{server.url}/media/1.jpg",
            "-o",
            tmp_path / "a",
            "--source",
            "urls",
            "--license",
            "any",
        )
        done = run(*arguments)
        assert done.exit_code == 1
        assert "private-address" in str(done.exception)
        assert not server.hits
        done = run(*arguments, "--allow-private-hosts")
        assert done.exit_code == 0, done.output


def test_an_unknown_licence_is_refused_and_the_mend_said(tmp_path: Path) -> None:
    with FakeServer() as server:
        done = run(
            f"{server.url}/media/1.jpg", "-o", tmp_path / "a", "--source", "urls", "--allow-private-hosts"
        )
    assert isinstance(done.exception, ScraperError)
    assert "no picture was kept" in str(done.exception)
    assert "`any` takes those of unknown licence too" in str(done.exception)


def test_keys_of_the_config_file_are_listed_as_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[keys]\nFLICKR_API_KEY = "s3cret"\n')
    path.chmod(0o600)
    monkeypatch.setenv("BEND_CONFIG", str(path))
    monkeypatch.delenv("FLICKR_API_KEY", raising=False)
    done = run("--list-sources")
    assert "FLICKR_API_KEY (set)" in done.stdout
    assert "s3cret" not in done.output
    path.write_text("[keys")
    done = run("--list-sources")
    assert isinstance(done.exception, ScraperError)
    assert f"{path}: not TOML at" in str(done.exception)


@pytest.mark.parametrize("as_json", [True, False])
def test_lists_sources_and_no_key(as_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENVERSE_CLIENT_ID", "s3cret")
    done = run("--list-sources", *(["--json"] if as_json else []))
    assert "s3cret" not in done.output
    if as_json:
        found = json.loads(done.stdout)
        assert [source["name"] for source in found] == list(SOURCES)
        assert found[0]["optional_keys"]["OPENVERSE_CLIENT_ID"] is True
    else:
        assert "OPENVERSE_CLIENT_ID (optional, set)" in done.stdout
        assert all(f"{name}: " in done.stdout for name in SOURCES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "QUERY and -o DIR are needed"),
        (("a",), "QUERY and -o DIR are needed"),
        (("a", "-o", "x", "--license", "gpl"), "gpl: not a licence; choose from cc0, pdm, by"),
        (
            ("a", "-o", "x", "--source", "met,pexels"),
            "pexels: no such source; choose from openverse, commons",
        ),
        (("a", "-o", "x", "--zip", "a.zip"), "--zip OUT.zip and --resolution PX go together"),
        (("a", "-o", "x", "--contact", "me"), "give a mail address or a web address"),
        (("a", "-o", "x", "--count", "0"), "0 is not in the range x>=1"),
        ((" ", "-o", "x"), "queries: give at least one, and none empty"),
        ((__file__, "-o", "x"), "is a file or folder; --source urls or --source folder takes it"),
    ],
)
def test_usage(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.txt", "--source", "urls"), "a.txt: no such file"),
        (("a", "--source", "folder"), "a: no such folder"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = run(*arguments, "-o", tmp_path / "out")
    assert isinstance(done.exception, ScraperError)
    assert message in str(done.exception)
    assert "\n" not in str(done.exception)


def test_review_and_filters_are_typed(service: FakeOpenverse, tmp_path: Path) -> None:
    out = tmp_path / "rocks"
    done = run("rocks", "-o", out, "--source", "openverse", "--count", 2, "--allow-private-hosts", "--review",
               "--filter", "flat,text", "--max-aspect", 2)  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "<h2>Kept (2)</h2>" in (out / "review.html").read_text("utf-8")
    wrong = run("rocks", "-o", out, "--filter", "ugly")
    assert wrong.exit_code == 2
    assert "filters ugly: choose from blur, flat, text" in wrong.output
