"""Every source of the table against the same contract, over real HTTP to a fake of its service."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scrapers.client import PoliteClient
from scrapers.errors import SourceError
from scrapers.gate import Gate
from scrapers.gather import gather
from scrapers.guard import netloc_of
from scrapers.journal import Journal
from scrapers.licences import DEFAULT_ACCEPTED, FAMILIES, family_of
from scrapers.source import HostLimit, ImageRef, Source, Wanted
from scrapers.sources import SOURCES, info_of, make_source
from tests.fakes.commons import FakeCommons
from tests.fakes.museums import FakeGbif, FakeINaturalist, FakeMet, FakeNasa, FakeSmithsonian
from tests.fakes.openverse import FakeOpenverse
from tests.fakes.pictures import jpeg
from tests.fakes.server import FakeServer, FakeService
from tests.fakes.stock import FakeBrave, FakeFlickr, FakeGoogle, FakePixabay
from tests.scrapers.conftest import HURRIED, scrape_config

FAST = HostLimit(per_second=1e6, burst=10_000, concurrency=64)
SECRET, ENGINE = "s3cret", "eng1ne"


@dataclass(frozen=True)
class Case:
    """A source's fake, and what is known of its answers."""

    fake: type[FakeServer]
    num_pictures: int
    """With every licence accepted."""
    keys: dict[str, str] = field(default_factory=dict)
    licenses: tuple[str, ...] = DEFAULT_ACCEPTED
    """Families to ask for so that it has something."""


CASES = {
    "openverse": Case(FakeOpenverse, 54),
    "commons": Case(FakeCommons, 29),
    "inaturalist": Case(FakeINaturalist, 645),
    "met": Case(FakeMet, 6),
    "gbif": Case(FakeGbif, 320),
    "nasa": Case(FakeNasa, 130, licenses=("us-gov",)),
    "smithsonian": Case(FakeSmithsonian, 130, {"SMITHSONIAN_API_KEY": SECRET}),
    "flickr": Case(FakeFlickr, 700, {"FLICKR_API_KEY": SECRET}),
    "pixabay": Case(FakePixabay, 230, {"PIXABAY_API_KEY": SECRET}, ("pixabay",)),
    "google": Case(FakeGoogle, 35, {"GOOGLE_API_KEY": SECRET, "GOOGLE_CX": ENGINE}),
    "brave": Case(FakeBrave, 150, {"BRAVE_API_KEY": SECRET}, ("unknown",)),
    "urls": Case(FakeServer, 3, licenses=("unknown",)),
    "folder": Case(FakeServer, 3, licenses=("unknown",)),
}
SERVICES = [name for name in SOURCES if info_of(name).searches]


@dataclass
class Rig:
    """A source joined to its fake."""

    name: str
    fake: FakeServer
    source: Source
    query: str
    environ: dict[str, str]
    folder: Path

    def refs(self, licenses: tuple[str, ...] = tuple(FAMILIES), query: str | None = None) -> list[ImageRef]:
        return list(self.source.search(query or self.query, Wanted(licenses=licenses, min_size=64)))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    """Builds a rig; `journal` keeps its answers."""
    with ExitStack() as stack:

        def build(name: str, *, is_kept: bool = False, **attributes: Any) -> Rig:
            case = CASES[name]
            fake = stack.enter_context(case.fake())
            for attribute, value in attributes.items():
                setattr(fake, attribute, value)
            client = stack.enter_context(closing(PoliteClient(HURRIED)))
            journal = stack.enter_context(Journal(tmp_path / "journal.sqlite")) if is_kept else None
            environ = {f"BEND_{name.upper()}_URL": fake.url, **case.keys}
            source = make_source(name, client, journal, environ)
            for netloc in source.limits:
                client.gate.set_limit(netloc, FAST)
            return Rig(name, fake, source, query_of(name, fake, tmp_path), environ, tmp_path)

        yield build


def query_of(name: str, fake: FakeServer, folder: Path) -> str:
    if name == "urls":
        (folder / "list.txt").write_text("".join(f"{fake.url}/media/{n}.jpg\n" for n in range(3)))
        return str(folder / "list.txt")
    if name == "folder":
        for number in range(3):
            (folder / f"{number}.jpg").write_bytes(jpeg(number))
        return str(folder)
    return "mossy rocks"


def test_every_source_has_a_case() -> None:
    assert list(CASES) == list(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_describes_itself(name: str) -> None:
    info = info_of(name)
    assert info.name == name
    assert info.summary
    assert set(info.licenses) <= set(FAMILIES)
    assert not info.keys or info.key_page
    if info.searches:
        assert info.limits
        assert info.terms.startswith("https://")


@pytest.mark.parametrize("name", SOURCES)
def test_yields_sound_references_and_ends(name: str, make: Callable[..., Rig]) -> None:
    refs = make(name).refs()
    assert len(refs) == CASES[name].num_pictures
    if name != "openverse":  # its pages overlap
        assert len({ref.id for ref in refs}) == len(refs)
    for ref in refs:
        assert ref.source == name
        assert ref.image_url.startswith(("http://127.0.0.1", "file:///"))
        assert ref.image_url != ref.fallback_url
        family = family_of(ref.license)
        assert family in info_of(name).licenses
        assert family == "unknown" or ref.license_url or family == "pdm"
        assert ref.license_evidence in ("per-image", "by-filter", "none")
        assert ref.query
        if info_of(name).searches:
            assert ref.page_url
            assert ref.attribution


@pytest.mark.parametrize("name", SERVICES)
def test_unknown_licences_are_yielded_as_such(name: str, make: Callable[..., Rig]) -> None:
    for ref in make(name).refs():
        if family_of(ref.license) == "unknown":
            assert ref.license == "unknown"
            assert ref.license_url is None or name == "commons"  # which names licences that are none of ours


@pytest.mark.parametrize("name", SERVICES)
def test_asks_its_service_for_what_is_accepted(name: str, make: Callable[..., Rig]) -> None:
    rig = make(name)
    found = {family_of(ref.license) for ref in rig.refs(CASES[name].licenses)}
    assert found & set(CASES[name].licenses)
    if name in ("openverse", "flickr", "pixabay", "google", "met", "smithsonian"):
        assert found <= set(CASES[name].licenses)


@pytest.mark.parametrize("name", SERVICES)
def test_is_lazy(name: str, make: Callable[..., Rig]) -> None:
    rig = make(name)
    refs = rig.source.search(rig.query, Wanted(licenses=CASES[name].licenses))
    assert not rig.fake.hits
    next(refs)
    assert rig.fake.hits.total() <= 2  # a page, and an object or asset


@pytest.mark.parametrize("name", SERVICES)
def test_answers_are_kept_without_keys(name: str, make: Callable[..., Rig]) -> None:
    rig = make(name, is_kept=True)
    first = rig.refs()
    asked = rig.fake.hits.total()
    assert rig.refs() == first
    assert rig.fake.hits.total() == asked
    for path in rig.folder.iterdir():
        assert SECRET.encode() not in path.read_bytes()


@pytest.mark.parametrize("name", [name for name in SERVICES if info_of(name).keys])
def test_keys_are_demanded_and_their_refusal_explained(name: str, make: Callable[..., Rig]) -> None:
    key = info_of(name).keys[0]
    with closing(PoliteClient(HURRIED)) as client:
        with pytest.raises(
            SourceError, match=rf"{name}: {key}.* must be set in the environment; a key is to be had"
        ):
            make_source(name, client, None, {})
        with CASES[name].fake() as fake:
            keys = dict.fromkeys(info_of(name).keys, "wr0ng")
            source = make_source(name, client, None, {f"BEND_{name.upper()}_URL": fake.url, **keys})
            with pytest.raises(SourceError, match=key) as caught:
                next(source.search("rocks", Wanted(licenses=CASES[name].licenses)))
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize("name", SERVICES)
def test_its_own_pace_is_set(name: str, make: Callable[..., Rig]) -> None:
    rig = make(name)
    limit = rig.source.limits[netloc_of(rig.fake.url)]
    assert limit.per_second <= 3
    assert limit.burst <= 50


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize(
    "junk", ["[]", "{}", "null", '{"results": null}', '{"results": [null, 1, {"id": []}]}', '"x"']
)
def test_odd_answers_raise_nothing_but_our_errors(name: str, junk: str, make: Callable[..., Rig]) -> None:
    from tests.fakes.server import Answer

    rig = make(name)
    rig.fake.answer = lambda request: Answer(200, junk.encode())  # type: ignore[method-assign]
    try:
        assert rig.refs() == []
    except SourceError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("name", SOURCES)
def test_scrapes(
    name: str, make: Callable[..., Rig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way, from the words to files on the disk."""
    rig = make(name)
    media = rig.fake.media_host if isinstance(rig.fake, FakeService) else rig.fake
    monkeypatch.setattr(type(media), "media", lenient_media)
    monkeypatch.setattr(Gate, "set_limit", lambda gate, netloc, limit: None)
    out = tmp_path / "out"
    config = scrape_config(out, rig.query, sources=(name,), licenses=CASES[name].licenses, count=3)
    summary = gather(config, environ=rig.environ)
    assert summary.num_kept == 3
    assert len(list(out.glob(f"{name}-*.jpg"))) == 3


def lenient_media(self: FakeServer, request: Any) -> Any:
    """Pictures under the addresses of every service: `/media/12/original.jpg`, `/media/12~orig.jpg`."""
    import re

    from tests.fakes.server import Answer

    number = re.search(r"\d+", request.path)
    return Answer(200, jpeg(int(number[0]))) if number else Answer(404)
