"""Brave's image search: pictures anywhere on the web, without a word about their licence.

There is no second page: a query yields at most 200 pictures. The pictures lie anywhere, so their hosts' robots.txt
is asked.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from scrapers.answers import address_id, pixels, record, records, text, web_address
from scrapers.api import Api
from scrapers.guard import netloc_of
from scrapers.source import Access, HostLimit, ImageRef, SourceInfo, Wanted, credit_line

__all__ = ["Brave"]

_BASE = "https://api.search.brave.com"
_KEY = "BRAVE_API_KEY"
_MOST = 200


class Brave:
    """Brave's image search."""

    info = SourceInfo(
        name="brave",
        summary="pictures anywhere on the web, of unknown licence",
        keys=(_KEY,),
        key_page="https://api-dashboard.search.brave.com/",
        licenses=("unknown",),
        evidence="none",
        limits="200 results a query, 1 request a second",
        terms="https://api-dashboard.search.brave.com/terms-of-service",
        obeys_robots=True,
    )

    def __init__(self, api: Api, access: Access) -> None:
        self._api = api
        self._base = access.base_url or _BASE
        self._key = access.keys[_KEY]

    @property
    def limits(self) -> Mapping[str, HostLimit]:
        """One request a second."""
        return {netloc_of(self._base): HostLimit(per_second=1, burst=1, concurrency=1)}

    def search(self, query: str, wanted: Wanted) -> Iterator[ImageRef]:
        """Yield what one request brings."""
        answer = self._api.get_json(
            f"{self._base}/res/v1/images/search",
            {"q": query, "count": _MOST, "safesearch": "strict"},
            headers={"X-Subscription-Token": self._key},
            explain={401: f"check {_KEY}", 403: f"check {_KEY}", 422: f"check {_KEY} and the words"},
        )
        for result in records(answer, "results"):
            if ref := _ref(result, query):
                yield ref


def _ref(result: dict[str, Any], query: str) -> ImageRef | None:
    properties = record(result, "properties")
    image_url = web_address(properties.get("url"))
    if image_url is None:
        return None
    title, page_url = text(result.get("title")), web_address(result.get("url"))
    return ImageRef(
        source="brave",
        id=address_id(image_url),
        image_url=image_url,
        fallback_url=web_address(record(result, "thumbnail").get("src")),
        width=pixels(properties.get("width")),
        height=pixels(properties.get("height")),
        page_url=page_url,
        title=title,
        attribution=credit_line(title, None, "unknown", page_url),
        query=query,
    )
