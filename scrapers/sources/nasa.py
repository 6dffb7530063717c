"""NASA's image library: space, aircraft, landscapes from above.

No picture states a licence. Works of the United States government are free of copyright there, but the library also
holds work of others; so they count as `us-gov` without evidence, and have to be asked for.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from scrapers.answers import pixels, records, text, web_address
from scrapers.api import Api
from scrapers.guard import netloc_of
from scrapers.licences import normalise
from scrapers.source import Access, HostLimit, ImageRef, SourceInfo, Wanted, credit_line

__all__ = ["Nasa"]

_BASE = "https://images-api.nasa.gov"
_DEPTH = 10_000
_PAGE = 100
_SIZES = ("~orig.", "~large.", "~medium.")  # best first
_TERMS = "https://www.nasa.gov/nasa-brand-center/images-and-media/"


class Nasa:
    """NASA's image and video library."""

    info = SourceInfo(
        name="nasa",
        summary="space, aircraft and the earth from above",
        licenses=("us-gov",),
        evidence="none",
        limits="10,000 results a query",
        terms=_TERMS,
    )

    def __init__(self, api: Api, access: Access) -> None:
        self._api = api
        self._base = access.base_url or _BASE

    @property
    def limits(self) -> Mapping[str, HostLimit]:
        """Its pace is undocumented."""
        return {netloc_of(self._base): HostLimit(per_second=2, burst=4, concurrency=2)}

    def search(self, query: str, wanted: Wanted) -> Iterator[ImageRef]:
        """Yield pictures in the library's order, the best file of each."""
        for page in range(1, _DEPTH // _PAGE + 1):
            answer = self._api.get_json(
                f"{self._base}/search", {"q": query, "media_type": "image", "page": page, "page_size": _PAGE}
            )
            for item in records(answer, "collection", "items"):
                if ref := self._ref(item, query):
                    yield ref
            if not any(link.get("rel") == "next" for link in records(answer, "collection", "links")):
                return

    def _ref(self, item: dict[str, Any], query: str) -> ImageRef | None:
        facts = next(iter(records(item, "data")), {})
        identifier = text(facts.get("nasa_id"))
        if identifier is None:
            return None
        links = records(item, "links")
        if not any(_SIZES[0] in str(link.get("href")) for link in links):
            answer = self._api.get_json(f"{self._base}/asset/{quote(identifier, safe='')}")
            links += records(answer, "collection", "items")
        best = _best(links)
        if best is None:
            return None
        licence = normalise(None, "us-gov")
        title = text(facts.get("title"))
        creator = text(facts.get("photographer")) or text(facts.get("secondary_creator")) or "NASA"
        page_url = f"https://images.nasa.gov/details/{quote(identifier, safe='')}"
        return ImageRef(
            source="nasa",
            id=identifier,
            image_url=_secure(best["href"]),
            width=pixels(best.get("width")),
            height=pixels(best.get("height")),
            license=licence.id,
            license_url=_TERMS,
            license_evidence="none",
            creator=creator,
            page_url=page_url,
            title=title,
            attribution=credit_line(title, creator, licence.id, page_url),
            query=query,
        )


def _best(links: list[dict[str, Any]]) -> dict[str, Any] | None:
    pictures = [
        link
        for link in links
        if web_address(link.get("href")) and link["href"].lower().endswith((".jpg", ".jpeg", ".png", ".tif"))
    ]
    return next((link for size in _SIZES for link in pictures if size in link["href"]), None)


def _secure(address: str) -> str:
    """The library still writes http for some files that it serves by https; spaces stand as they are."""
    address = address.replace(" ", "%20")
    return address.replace("http://", "https://", 1) if ".nasa.gov/" in address else address
