"""What is odd about individual services, each as its fake has it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scrapers.config import ClientConfig
from scrapers.errors import SourceError
from scrapers.licences import DEFAULT_ACCEPTED
from scrapers.source import Wanted
from scrapers.sources import commons
from scrapers.sources.flickr import _LICENSES
from scrapers.sources.urls import Urls
from tests.scrapers.sources.conftest import CASES, Rig

Make = Callable[..., Rig]


def test_openverse_asks_for_no_more_than_anonymous_users_may(make: Make) -> None:
    rig = make("openverse", num_results=1000)
    refs = rig.refs(DEFAULT_ACCEPTED)
    assert {request.query["page_size"] for request in rig.fake.requests} == {"20"}
    assert {request.query["license"] for request in rig.fake.requests} == {"cc0,pdm,by,by-sa"}
    assert len({ref.id for ref in refs}) == 160
    assert rig.fake.hits["/v1/images/"] <= 12


def test_openverse_with_a_client_id_asks_for_more(make: Make) -> None:
    keys = {"OPENVERSE_CLIENT_ID": "me", "OPENVERSE_CLIENT_SECRET": "s3cret"}
    rig = make("openverse", keys=keys, num_results=1000)
    assert len({ref.id for ref in rig.refs()}) == 240
    assert rig.fake.hits["/v1/images/"] == 5
    assert rig.fake.hits["/v1/auth_tokens/token/"] == 1
    assert rig.fake.requests[-1].query["page_size"] == "48"
    assert rig.fake.requests[-1].headers["authorization"] == "Bearer t0ken"


def test_openverse_waits_when_throttled(make: Make) -> None:
    rig = make("openverse", burst=1)
    assert len({ref.id for ref in rig.refs()}) == 50
    assert rig.fake.hits["/v1/images/"] == 4  # three pages, one of them twice


def test_openverse_refuses_overlong_words_itself(make: Make) -> None:
    rig = make("openverse")
    with pytest.raises(SourceError, match="at most 200 characters"):
        rig.refs(query="x" * 201)
    assert not rig.fake.hits


def test_commons_waits_out_a_lag_reported_as_200(make: Make) -> None:
    rig = make("commons", is_lagged=True)
    assert len(rig.refs()) == 29
    assert rig.fake.hits["/w/api.php"] == 2


def test_commons_finds_nothing_without_a_query_key(make: Make) -> None:
    assert make("commons").refs(query="nothing") == []


def test_commons_ends_where_its_search_does(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commons, "_DEPTH", 120)
    rig = make("commons", num_results=300, depth=120)
    assert len(rig.refs()) == 99  # of two pages, all but one that is no picture
    assert rig.fake.hits["/w/api.php"] == 2


def test_commons_reads_licences_creators_and_order(make: Make) -> None:
    refs = make("commons").refs()
    assert [ref.id for ref in refs] == sorted(ref.id for ref in refs)
    assert [ref.license for ref in refs[:5]] == [
        "CC-BY-SA-4.0",
        "LicenseRef-Public-Domain",
        "CC-BY-2.0",
        "CC0-1.0",
        "unknown",
    ]
    assert refs[0].creator == "Bo 1001"
    assert refs[0].title == "Bark 1001"
    assert refs[1].license_url is None
    assert refs[0].fallback_url == f"{refs[0].image_url}?original"


def test_commons_takes_the_original_where_the_rendering_is_too_small(make: Make) -> None:
    rig = make("commons")
    ref = next(rig.source.search("bark", Wanted(min_size=1000)))
    assert ref.image_url.endswith("?original")
    assert rig.fake.requests[0].query["iiurlwidth"] == "3840"


def test_commons_is_slower_without_a_contact(make: Make) -> None:
    rig = make("commons")
    rig.source._is_identified = False  # type: ignore[attr-defined]
    assert next(iter(rig.source.limits.values())).per_second < 10 / 60
    assert rig.source.limits["upload.wikimedia.org"].concurrency == 2


def test_inaturalist_judges_each_photo_by_itself(make: Make) -> None:
    refs = make("inaturalist").refs(("by",))
    assert {ref.license for ref in refs} == {"CC-BY", "unknown"}
    assert all("/original." in ref.image_url for ref in refs)


def test_met_waits_when_it_gets_a_403_page(make: Make) -> None:
    rig = make("met", patience=3)
    assert len(rig.refs()) == 6
    assert rig.fake.hits.total() == 14


def test_met_finds_nothing_as_null(make: Make) -> None:
    assert make("met").refs(query="nothing") == []


def test_gbif_reads_the_mediums_licence_not_the_records(make: Make) -> None:
    refs = make("gbif").refs(("cc0", "by"))
    assert [ref.license for ref in refs[:6]] == [
        "CC-BY-4.0",
        "CC0-1.0",
        "unknown",
        "CC-BY-NC-4.0",
        "unknown",
        "CC0-1.0",
    ]


def test_nasa_takes_the_original_even_where_only_the_asset_lists_it(make: Make) -> None:
    rig = make("nasa")
    refs = rig.refs()
    assert all("~orig." in ref.image_url for ref in refs)
    assert sum(path.startswith("/asset/") for path in rig.fake.hits) == 3
    assert refs[0].page_url == "https://images.nasa.gov/details/PIA-0"


def test_smithsonian_keeps_alternatives_together(make: Make) -> None:
    rig = make("smithsonian")
    rig.refs(query="rocks OR minerals")
    asked = {request.query["q"] for request in rig.fake.requests}
    assert asked == {"(rocks OR minerals) AND online_media_type:Images AND media_usage:CC0"}


def test_flickr_ends_where_its_pages_begin_to_repeat(make: Make) -> None:
    rig = make("flickr", num_results=100_000)
    assert len({ref.id for ref in rig.refs()}) == 4000
    assert rig.fake.hits.total() == 8


def test_flickr_tries_again_after_a_passing_failure(make: Make) -> None:
    assert len(make("flickr", is_busy=True).refs()) == 700


def test_flickr_asks_for_licences_by_number(make: Make) -> None:
    rig = make("flickr")
    rig.refs(DEFAULT_ACCEPTED)
    assert rig.fake.requests[0].query["license"] == "4,5,9,10,11,12"
    assert _LICENSES[6] == ("by-nd", "2.0")


def test_flickr_takes_the_smallest_copy_that_is_large_enough(make: Make) -> None:
    rig = make("flickr")
    small = list(rig.source.search("a", Wanted(min_size=256)))
    large = list(rig.source.search("a", Wanted(min_size=2000)))
    assert (small[1].width, small[1].height) == (1024, 768)
    assert (large[1].width, large[1].height) == (5000, 4000)


def test_pixabay_never_asks_beyond_the_end(make: Make) -> None:
    rig = make("pixabay", num_results=900)
    assert len(rig.refs()) == 500
    assert rig.fake.hits.total() == 5


def test_google_searches_licence_by_licence(make: Make) -> None:
    rig = make("google")
    refs = rig.refs(("by", "pdm"))
    assert {(ref.license, ref.license_evidence) for ref in refs} == {
        ("LicenseRef-Public-Domain", "by-filter"),
        ("CC-BY", "by-filter"),
    }
    assert len(refs) == 70


@pytest.mark.parametrize("status", [403, 410])
def test_google_explains_its_end(make: Make, status: int) -> None:
    with pytest.raises(
        SourceError, match="takes no new customers and ends for all on 2027-01-01; use another"
    ):
        make("google", is_retired=status).refs()


def test_brave_sends_its_key_in_a_header_only(make: Make) -> None:
    rig = make("brave")
    rig.refs()
    assert "s3cret" not in str(rig.fake.requests[0].query)
    assert rig.fake.requests[0].headers["x-subscription-token"] == CASES["brave"].keys["BRAVE_API_KEY"]


def rows(path: Path) -> list[tuple[str, str, str | None]]:
    refs = Urls(None, None).search(str(path), Wanted())  # type: ignore[arg-type]
    return [(ref.image_url, ref.license, ref.creator) for ref in refs]


def test_urls_of_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(
        "\ufeffhttps://a.example/1.jpg\n# a comment\n\n  https://a.example/2.jpg # another\n", "utf-8"
    )
    assert [row[0] for row in rows(path)] == ["https://a.example/1.jpg", "https://a.example/2.jpg"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("name", ["list.txt", "list.csv"])
def test_urls_of_a_file_that_windows_wrote(tmp_path: Path, name: str, encoding: str) -> None:
    addresses = ["https://a.example/1.jpg", "https://a.example/ü.jpg"]
    head = ["image_url"] if name.endswith(".csv") else []
    path = tmp_path / name
    path.write_text("".join(f"{line}\n" for line in [*head, *addresses]), encoding, newline="\r\n")
    assert [row[0] for row in rows(path)] == addresses


def test_urls_are_taken_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    addresses = [
        f"https://a.example/a  b.jpg?sig={'x' * 9000}",
        "https://a.example/1.jpg",
        "ftp://a.example/",
    ]
    path.write_text("\n".join(addresses))
    assert [row[0] for row in rows(path)] == addresses


@pytest.mark.parametrize(("name", "comma"), [("a.csv", ","), ("a.tsv", "\t")])
def test_urls_of_a_table(tmp_path: Path, name: str, comma: str) -> None:
    path = tmp_path / name
    table = [
        ("title", "url", "license", "creator"),
        ("A", "https://a.example/1.jpg", "CC BY 4.0", "Ann"),
        ("B", "https://a.example/2.jpg", "https://creativecommons.org/licenses/by-nc/2.0/", ""),
        ("C", "", "", ""),
        ("D", "https://a.example/3.jpg", "mine", "Bo"),
    ]
    path.write_text("".join(comma.join(row) + "\n" for row in table))
    assert rows(path) == [
        ("https://a.example/1.jpg", "CC-BY-4.0", "Ann"),
        ("https://a.example/2.jpg", "CC-BY-NC-2.0", None),
        ("https://a.example/3.jpg", "unknown", "Bo"),
    ]


def test_urls_of_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"image_url": ["https://a.example/1.jpg"], "license": ["by"], "creator": ["Ann"]})
    parquet.write_table(table, tmp_path / "a.parquet")
    assert rows(tmp_path / "a.parquet") == [("https://a.example/1.jpg", "CC-BY", "Ann")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "name,size\n", "has no column image_url or url, only name, size"),
        ("a.csv", "", "has no column image_url or url, only none"),
        ("a.csv", f"image_url,{'x' * 200_000}\n", "line 1 is not readable"),
        ("a.csv", f"image_url\n{'x' * 200_000}\n", "line 2 is not readable"),
        ("a.parquet", "no", "pyarrow|not readable as Parquet"),
    ],
    ids=["columns", "empty", "long-name", "long-field", "parquet"],
)
def test_urls_of_a_wrong_file(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(SourceError, match=message):
        rows(tmp_path / name)


def test_a_contact_is_needed_for_nothing_but_asked_for() -> None:
    assert ClientConfig().contact is None
