"""The Smithsonian's open access: objects of nineteen museums, those given away under CC0."""

from collections.abc import Iterator, Mapping
from typing import Any

from scrapers.answers import pixels, record, records, text, web_address
from scrapers.api import Api
from scrapers.guard import netloc_of
from scrapers.licences import normalise
from scrapers.source import Access, HostLimit, ImageRef, SourceInfo, Wanted, credit_line

__all__ = ["Smithsonian"]

_BASE = "https://api.si.edu"
_KEY = "SMITHSONIAN_API_KEY"
_PAGE = 100
_EXPLAIN = {403: f"check {_KEY}"}


class Smithsonian:
    """The Smithsonian's search."""

    info = SourceInfo(
        name="smithsonian",
        summary="objects of the Smithsonian's museums",
        keys=(_KEY,),
        key_page="https://api.data.gov/signup/",
        licenses=("cc0",),
        limits="1,000 requests an hour",
        terms="https://www.si.edu/openaccess",
    )

    def __init__(self, api: Api, access: Access) -> None:
        self._api = api
        self._base = access.base_url or _BASE
        self._key = access.keys[_KEY]

    @property
    def limits(self) -> Mapping[str, HostLimit]:
        """Below a thousand an hour, the burst included."""
        return {netloc_of(self._base): HostLimit(per_second=0.25, burst=50, concurrency=2)}

    def search(self, query: str, wanted: Wanted) -> Iterator[ImageRef]:
        """Yield the pictures whose own usage is CC0."""
        start = 0
        while True:
            answer = self._api.get_json(
                f"{self._base}/openaccess/api/v1.0/search",
                {
                    "api_key": self._key,
                    "q": f"({query}) AND online_media_type:Images AND media_usage:CC0",
                    "rows": _PAGE,
                    "start": start,
                },
                explain=_EXPLAIN,
            )
            rows = records(answer, "response", "rows")
            for row in rows:
                yield from _refs(row, query)
            start += _PAGE
            if not rows or start >= (pixels(record(answer, "response").get("rowCount")) or 0):
                return


def _refs(row: dict[str, Any], query: str) -> Iterator[ImageRef]:
    about = record(row, "content", "descriptiveNonRepeating")
    names = records(row, "content", "freetext", "name")
    creator = text(names[0].get("content")) if names else text(about.get("unit_code"))
    page_url = web_address(about.get("record_link")) or web_address(about.get("guid"))
    title = text(row.get("title"))
    licence = normalise(None, "cc0")
    for medium in records(about, "online_media", "media"):
        image_url = web_address(medium.get("content"))
        is_free = record(medium, "usage").get("access") == "CC0"
        if medium.get("type") != "Images" or not is_free or image_url is None:
            continue
        yield ImageRef(
            source="smithsonian",
            id=text(medium.get("idsId")) or image_url,
            image_url=image_url,
            license=licence.id,
            license_url=licence.url,
            license_evidence="per-image",
            creator=creator,
            page_url=page_url,
            title=title,
            attribution=credit_line(title, creator, licence.id, page_url),
            query=query,
        )
