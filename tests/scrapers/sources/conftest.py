"""A source joined to a fake of its service, for the contract and for the quirks."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scrapers.client import PoliteClient
from scrapers.journal import Journal
from scrapers.licences import DEFAULT_ACCEPTED, FAMILIES
from scrapers.source import HostLimit, ImageRef, Source, Wanted
from scrapers.sources import SOURCES, info_of, make_source
from tests.fakes.commons import FakeCommons
from tests.fakes.museums import FakeGbif, FakeINaturalist, FakeMet, FakeNasa, FakeSmithsonian
from tests.fakes.openverse import FakeOpenverse
from tests.fakes.pictures import jpeg
from tests.fakes.server import FakeServer
from tests.fakes.stock import FakeBrave, FakeFlickr, FakeGoogle, FakePixabay
from tests.scrapers.conftest import HURRIED

FAST = HostLimit(per_second=1e6, burst=10_000, concurrency=64)
SECRET, ENGINE = "s3cret", "eng1ne"


@dataclass(frozen=True)
class Case:
    """A source's fake, and what is known of its answers."""

    fake: type[FakeServer]
    num_pictures: int
    """How many it has with every licence accepted."""
    keys: dict[str, str] = field(default_factory=dict)
    licenses: tuple[str, ...] = DEFAULT_ACCEPTED
    """Families of licences to ask for so that it finds something."""


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

        def build(
            name: str, *, is_kept: bool = False, keys: dict[str, str] | None = None, **attributes: Any
        ) -> Rig:
            case = CASES[name]
            fake = stack.enter_context(case.fake())
            for attribute, value in attributes.items():
                setattr(fake, attribute, value)
            client = stack.enter_context(closing(PoliteClient(HURRIED)))
            journal = stack.enter_context(Journal(tmp_path / "journal.sqlite")) if is_kept else None
            environ = {f"BEND_{name.upper()}_URL": fake.url, **(case.keys if keys is None else keys)}
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
