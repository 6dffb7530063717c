"""The Metropolitan Museum of Art: works in the public domain, photographed and given away under CC0.

A search answers with every id at once, and each object is then a request of its own; faster than one a second, and
the museum answers with an HTML page of status 403 until one has calmed down.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from scrapers.answers import record, text, web_address
from scrapers.api import Api
from scrapers.guard import netloc_of
from scrapers.licences import normalise
from scrapers.source import Access, HostLimit, ImageRef, SourceInfo, Wanted, credit_line

__all__ = ["Met"]

_BASE = "https://collectionapi.metmuseum.org"
_THROTTLED = frozenset({403})
_ABSENT = frozenset({404})


class Met:
    """The Met's collection."""

    info = SourceInfo(
        name="met",
        summary="art and artefacts of the Metropolitan Museum",
        licenses=("cc0",),
        limits="1 request a second, one for each object",
        terms="https://www.metmuseum.org/policies/image-resources",
    )

    def __init__(self, api: Api, access: Access) -> None:
        self._api = api
        self._base = access.base_url or _BASE

    @property
    def limits(self) -> Mapping[str, HostLimit]:
        """One request a second."""
        return {netloc_of(self._base): HostLimit(per_second=1, burst=1, concurrency=1)}

    def search(self, query: str, wanted: Wanted) -> Iterator[ImageRef]:
        """Yield the main picture of each object in the public domain."""
        service = f"{self._base}/public/collection/v1"
        answer = self._api.get_json(
            f"{service}/search", {"hasImages": "true", "q": query}, throttle_statuses=_THROTTLED
        )
        numbers = record(answer).get("objectIDs")  # null where nothing was found
        for number in numbers if isinstance(numbers, list) else ():
            if not isinstance(number, int):
                continue
            # Some ids of the index lead nowhere.
            found = self._api.get_json(
                f"{service}/objects/{number}", throttle_statuses=_THROTTLED, absent_statuses=_ABSENT
            )
            if ref := _ref(record(found), query):
                yield ref


def _ref(found: dict[str, Any], query: str) -> ImageRef | None:
    identifier, image_url = text(found.get("objectID")), web_address(found.get("primaryImage"))
    if found.get("isPublicDomain") is not True or identifier is None or image_url is None:
        return None  # for the others there is no picture to be had
    licence = normalise(None, "cc0")
    title, creator = text(found.get("title")), text(found.get("artistDisplayName"))
    page_url = web_address(found.get("objectURL"))
    return ImageRef(
        source="met",
        id=identifier,
        image_url=image_url,
        fallback_url=web_address(found.get("primaryImageSmall")),
        license=licence.id,
        license_url=licence.url,
        license_evidence="per-image",
        creator=creator,
        page_url=page_url,
        title=title,
        attribution=credit_line(title, creator, licence.id, page_url),
        query=query,
    )
