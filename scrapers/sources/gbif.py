"""GBIF: pictures of organisms and herbarium sheets out of thousands of natural history collections.

The licence of a record is that of its data, not of its pictures, so it is not searched by; each medium states its
own, as a URL, a code or words. The pictures lie with the institutions, whose robots.txt is asked.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from scrapers.answers import record, records, text, web_address
from scrapers.api import Api
from scrapers.guard import netloc_of
from scrapers.licences import normalise
from scrapers.source import Access, HostLimit, ImageRef, SourceInfo, Wanted, credit_line

__all__ = ["Gbif"]

_BASE = "https://api.gbif.org"
_PAGE = 300
_DEPTH = 100_000


class Gbif:
    """GBIF's occurrences and their pictures."""

    info = SourceInfo(
        name="gbif",
        summary="organisms and specimens from natural history collections",
        limits="100,000 records a query",
        terms="https://www.gbif.org/terms",
        obeys_robots=True,
    )

    def __init__(self, api: Api, access: Access) -> None:
        self._api = api
        self._base = access.base_url or _BASE

    @property
    def limits(self) -> Mapping[str, HostLimit]:
        """Its own pace is undocumented; a few requests a second are usual."""
        return {netloc_of(self._base): HostLimit(per_second=2, burst=2, concurrency=2)}

    def search(self, query: str, wanted: Wanted) -> Iterator[ImageRef]:
        """Yield the still images of the records that the words find."""
        for offset in range(0, _DEPTH - _PAGE + 1, _PAGE):
            answer = self._api.get_json(
                f"{self._base}/v1/occurrence/search",
                {"mediaType": "StillImage", "q": query, "limit": _PAGE, "offset": offset},
            )
            found = records(answer, "results")
            for occurrence in found:
                yield from _refs(occurrence, query)
            if not found or record(answer).get("endOfRecords") is not False:
                return


def _refs(occurrence: dict[str, Any], query: str) -> Iterator[ImageRef]:
    for number, medium in enumerate(records(occurrence, "media")):
        key, image_url = text(occurrence.get("key")), web_address(medium.get("identifier"))
        if medium.get("type") != "StillImage" or key is None or image_url is None:
            continue
        stated = text(medium.get("license"))
        licence = normalise(stated, stated)
        title = text(medium.get("title")) or text(occurrence.get("scientificName"))
        creator = text(medium.get("creator")) or text(medium.get("rightsHolder"))
        page_url = web_address(medium.get("references")) or f"https://www.gbif.org/occurrence/{key}"
        yield ImageRef(
            source="gbif",
            id=f"{key}-{number}",
            image_url=image_url,
            license=licence.id,
            license_url=licence.url,
            license_evidence="per-image" if licence.is_known else "none",
            creator=creator,
            page_url=page_url,
            title=title,
            attribution=credit_line(title, creator, licence.id, page_url),
            query=query,
        )
