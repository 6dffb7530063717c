"""Pixabay: stock photographs under its own content licence, which is free but not open.

Refusals come as plain text. The key is part of every address, so no address of this source is ever shown whole; its
terms ask that answers be kept for a day, which the journal does.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from scrapers.answers import pixels, record, records, text, web_address
from scrapers.api import Api
from scrapers.errors import SourceError
from scrapers.guard import netloc_of
from scrapers.licences import normalise
from scrapers.source import Access, HostLimit, ImageRef, SourceInfo, Wanted, credit_line

__all__ = ["Pixabay"]

_BASE = "https://pixabay.com"
_KEY = "PIXABAY_API_KEY"
_DEPTH = 500
_PAGE = 100
_TERMS = "https://pixabay.com/service/license-summary/"


class Pixabay:
    """Pixabay's photo search."""

    info = SourceInfo(
        name="pixabay",
        summary="stock photographs, up to 1280 pixels",
        keys=(_KEY,),
        key_page="https://pixabay.com/api/docs/",
        licenses=("pixabay",),
        evidence="by-filter",
        limits="500 results a query, 100 requests a minute",
        terms=_TERMS,
    )

    def __init__(self, api: Api, access: Access) -> None:
        self._api = api
        self._base = access.base_url or _BASE
        self._key = access.keys[_KEY]

    @property
    def limits(self) -> Mapping[str, HostLimit]:
        """Below a hundred a minute, burst and refill together."""
        return {netloc_of(self._base): HostLimit(per_second=1, burst=20, concurrency=2)}

    def search(self, query: str, wanted: Wanted) -> Iterator[ImageRef]:
        """Yield photos in the order of popularity, to its depth of 500."""
        if len(query) > 100:
            raise SourceError("pixabay: takes at most 100 characters of words; use several shorter queries")
        params: dict[str, str | int] = {
            "key": self._key,
            "q": query,
            "image_type": "photo",
            "min_width": wanted.min_size,
            "min_height": wanted.min_size,
            "safesearch": "true",
            "per_page": _PAGE,
        }
        for page in range(1, _DEPTH // _PAGE + 1):
            answer = self._api.get_json(
                f"{self._base}/api/", {**params, "page": page}, explain={400: f"check {_KEY} and the words"}
            )
            for hit in records(answer, "hits"):
                if ref := _ref(hit, query):
                    yield ref
            num_hits = pixels(record(answer).get("totalHits")) or 0
            if page * _PAGE >= num_hits:  # to ask for a page beyond the last is an error
                return


def _ref(hit: dict[str, Any], query: str) -> ImageRef | None:
    identifier, image_url = text(hit.get("id")), web_address(hit.get("largeImageURL"))
    if identifier is None or image_url is None:
        return None
    licence = normalise(None, "pixabay")
    title, creator = text(hit.get("tags")), text(hit.get("user"))
    page_url = web_address(hit.get("pageURL"))
    return ImageRef(
        source="pixabay",
        id=identifier,
        image_url=image_url,
        fallback_url=web_address(hit.get("webformatURL")),
        width=pixels(hit.get("imageWidth")),
        height=pixels(hit.get("imageHeight")),
        license=licence.id,
        license_url=_TERMS,
        license_evidence="by-filter",
        creator=creator,
        page_url=page_url,
        title=title,
        attribution=credit_line(title, creator, licence.id, page_url),
        query=query,
    )
