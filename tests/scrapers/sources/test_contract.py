"""Every source of the table against the same contract, over real HTTP to a fake of its service."""

import contextlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from scrapers.client import PoliteClient
from scrapers.errors import SourceError
from scrapers.folder import file_name
from scrapers.gate import Gate
from scrapers.gather import gather
from scrapers.guard import netloc_of
from scrapers.judge import Judge
from scrapers.licences import FAMILIES, family_of
from scrapers.source import Wanted
from scrapers.sources import SOURCES, info_of, make_source
from tests.fakes.pictures import jpeg
from tests.fakes.server import Answer, FakeServer, FakeService
from tests.scrapers.conftest import HURRIED, scrape_config
from tests.scrapers.sources.conftest import CASES, SECRET, SERVICES, Rig


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


@pytest.mark.parametrize("name", ["commons", "inaturalist", "gbif", "flickr", "google", "brave"])
def test_unknown_licences_are_yielded_as_such(name: str, make: Callable[..., Rig]) -> None:
    unknown = [ref for ref in make(name).refs() if family_of(ref.license) == "unknown"]
    assert unknown
    for ref in unknown:
        assert ref.license == "unknown"
        assert ref.license_url is None or name == "commons"  # which names licences that we do not know


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
            SourceError,
            match=rf"{name}: {key}.* must be set in the environment or under \[keys\] in .+config\.toml; get a key at",
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
    rig = make(name)
    rig.fake.answer = lambda request: Answer(200, junk.encode())  # type: ignore[method-assign]
    try:
        assert rig.refs() == []
    except SourceError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("odd", ["https://a.example/\ud800.jpg", 5, [["x"]], {"x": []}], ids=ascii)
def test_odd_values_raise_nothing_but_our_errors(name: str, odd: Any, make: Callable[..., Rig]) -> None:
    """Each value of an answer is odd once; what is yielded in spite of that can be judged and named."""
    rig = make(name)
    true_answer = rig.fake.answer
    paths: dict[tuple[Any, ...], None] = {}  # in the order in which they are met

    def search() -> None:
        judge = Judge(Wanted(licenses=tuple(FAMILIES)), 4)
        wanted = Wanted(licenses=CASES[name].licenses, min_size=64)
        with contextlib.suppress(SourceError):
            for ref in itertools.islice(rig.source.search(rig.query, wanted), 30):
                judge.reference(ref)
                file_name(ref, "JPEG")

    def listed(request: Any) -> Answer:
        told = true_answer(request)
        paths.update(dict.fromkeys(_paths(json.loads(told.body))))
        return told

    rig.fake.answer = listed  # type: ignore[method-assign]
    search()
    assert len(paths) > 5
    for path in paths:

        def changed(request: Any, path: tuple[Any, ...] = path) -> Answer:
            told = true_answer(request)
            return Answer(told.status, json.dumps(_with(json.loads(told.body), path, odd)).encode())

        rig.fake.answer = changed  # type: ignore[method-assign]
        search()


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    """Where a value and all within it stand; of a list the first member speaks for all."""
    yield ()
    members = (
        value.items() if isinstance(value, dict) else enumerate(value[:1] if isinstance(value, list) else ())
    )
    for key, member in members:
        yield from ((key, *path) for path in _paths(member))


def _with(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """A copy of `value` in which `odd` stands at `path`, if there is such a place."""
    if not path:
        return odd
    key, *rest = path
    if isinstance(value, dict) and key in value:
        return {**value, key: _with(value[key], tuple(rest), odd)}
    if isinstance(value, list) and value and key == 0:
        return [_with(value[0], tuple(rest), odd), *value[1:]]
    return value


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
    number = re.search(r"\d+", request.path)
    return Answer(200, jpeg(int(number[0]))) if number else Answer(404)
