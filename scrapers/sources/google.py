"""Google's Custom Search JSON API, with which the idea began; it is retiring.

New customers have not been taken for a while, and for the others it ends on 2027-01-01. No picture states a
licence: one can only ask for those that Google believes to be under one, so each accepted licence is searched for
by itself and the evidence is "by-filter". The pictures lie anywhere, so their hosts' robots.txt is asked.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from scrapers.answers import address_id, pixels, record, records, text, web_address
from scrapers.api import Api
from scrapers.guard import netloc_of
from scrapers.licences import Licence, normalise
from scrapers.source import Access, Evidence, HostLimit, ImageRef, SourceInfo, Wanted, credit_line

__all__ = ["Google"]

_BASE = "https://www.googleapis.com"
_KEYS = ("GOOGLE_API_KEY", "GOOGLE_CX")
_DEPTH = 100
_PAGE = 10
_RIGHTS = {"pdm": "cc_publicdomain", "by": "cc_attribute", "by-sa": "cc_sharealike"}
_RETIRED = (
    "the Custom Search JSON API takes no new customers and ends for all on 2027-01-01; use another --source"
)
_EXPLAIN = {
    400: f"check {' and '.join(_KEYS)}",
    403: f"the key has no access: {_RETIRED}",
    404: _RETIRED,
    410: _RETIRED,
}


class Google:
    """Google's image search by the Custom Search JSON API."""

    info = SourceInfo(
        name="google",
        summary="pictures anywhere on the web, filtered by Google's guess of their licence",
        keys=_KEYS,
        key_page="https://developers.google.com/custom-search/v1/introduction",
        licenses=(*_RIGHTS, "unknown"),
        evidence="by-filter",
        limits="100 results a query, 100 requests a day free of charge",
        terms="https://developers.google.com/terms",
        obeys_robots=True,
        notice="retiring; the Custom Search JSON API ends on 2027-01-01 and takes no new customers",
    )

    def __init__(self, api: Api, access: Access) -> None:
        self._api = api
        self._base = access.base_url or _BASE
        self._keys = access.keys

    @property
    def limits(self) -> Mapping[str, HostLimit]:
        """A hundred a minute is its documented quota."""
        return {netloc_of(self._base): HostLimit(per_second=1, burst=10, concurrency=1)}

    def search(self, query: str, wanted: Wanted) -> Iterator[ImageRef]:
        """Yield results licence by licence; with unknown ones accepted, without a filter."""
        if wanted.accepts_unknown:
            yield from self._results(query, None, normalise(None))
            return
        for family, right in _RIGHTS.items():
            if family in wanted.licenses:
                code = "public domain" if family == "pdm" else family
                yield from self._results(query, right, normalise(None, code))

    def _results(self, query: str, right: str | None, licence: Licence) -> Iterator[ImageRef]:
        start = 1
        while start <= _DEPTH - _PAGE + 1:
            params: dict[str, str | int] = {
                "key": self._keys["GOOGLE_API_KEY"],
                "cx": self._keys["GOOGLE_CX"],
                "q": query,
                "searchType": "image",
                "num": _PAGE,
                "start": start,
                "safe": "active",
            }
            if right is not None:
                params["rights"] = right
            answer = self._api.get_json(f"{self._base}/customsearch/v1", params, explain=_EXPLAIN)
            for item in records(answer, "items"):
                if ref := _ref(item, query, licence, "by-filter" if right else "none"):
                    yield ref
            following = next(iter(records(answer, "queries", "nextPage")), {})
            next_start = pixels(following.get("startIndex"))
            if next_start is None or next_start <= start:
                return
            start = next_start


def _ref(item: dict[str, Any], query: str, licence: Licence, evidence: Evidence) -> ImageRef | None:
    image_url = web_address(item.get("link"))
    if image_url is None:
        return None
    about = record(item, "image")
    title, page_url = text(item.get("title")), web_address(about.get("contextLink"))
    return ImageRef(
        source="google",
        id=address_id(image_url),
        image_url=image_url,
        width=pixels(about.get("width")),
        height=pixels(about.get("height")),
        license=licence.id,
        license_url=licence.url,
        license_evidence=evidence,
        page_url=page_url,
        title=title,
        attribution=credit_line(title, None, licence.id, page_url),
        query=query,
    )
