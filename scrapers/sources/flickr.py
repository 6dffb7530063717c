"""Flickr: the largest collection of photographs under Creative Commons licences.

Refusals come as answers of status 200. After 4,000 results of a query the pages repeat, so they end there. Licences
are numbers: 0 to 6 in version 2.0, 7 to 10 outside the six licences, 11 to 16 in version 4.0.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from scrapers.answers import pixels, record, records, text, web_address
from scrapers.api import Api
from scrapers.errors import PassingError, SourceError
from scrapers.guard import netloc_of
from scrapers.licences import Licence, normalise
from scrapers.retry import parse_retry_after
from scrapers.source import Access, HostLimit, ImageRef, SourceInfo, Wanted, credit_line

__all__ = ["Flickr"]

_BASE = "https://api.flickr.com"
_KEY = "FLICKR_API_KEY"
_DEPTH = 4_000
_PAGE = 500
_PASSING_CODES = frozenset({0, 10, 105, 106})
_LICENSES = {
    1: ("by-nc-sa", "2.0"),
    2: ("by-nc", "2.0"),
    3: ("by-nc-nd", "2.0"),
    4: ("by", "2.0"),
    5: ("by-sa", "2.0"),
    6: ("by-nd", "2.0"),
    7: ("nkcr", None),
    8: ("us-gov", None),
    9: ("cc0", None),
    10: ("pdm", None),
    11: ("by", "4.0"),
    12: ("by-sa", "4.0"),
    13: ("by-nd", "4.0"),
    14: ("by-nc", "4.0"),
    15: ("by-nc-sa", "4.0"),
    16: ("by-nc-nd", "4.0"),
}


class Flickr:
    """Flickr's photo search."""

    info = SourceInfo(
        name="flickr",
        summary="photographs under Creative Commons licences",
        keys=(_KEY,),
        key_page="https://www.flickr.com/services/apps/create/",
        licenses=(*dict.fromkeys(family for family, _ in _LICENSES.values()), "unknown"),
        limits="4,000 results a query, 3,600 requests an hour",
        terms="https://www.flickr.com/help/terms/api",
    )

    def __init__(self, api: Api, access: Access) -> None:
        self._api = api
        self._base = access.base_url or _BASE
        self._key = access.keys[_KEY]

    @property
    def limits(self) -> Mapping[str, HostLimit]:
        """Below 3,600 an hour, the burst included."""
        return {netloc_of(self._base): HostLimit(per_second=0.95, burst=10, concurrency=2)}

    def search(self, query: str, wanted: Wanted) -> Iterator[ImageRef]:
        """Yield photos in Flickr's order, each once, to its depth of 4,000."""
        seen: set[str] = set()
        for page in range(1, _DEPTH // _PAGE + 1):
            answer = self._api.get_json(
                f"{self._base}/services/rest/", self._params(query, wanted, page), check=_check
            )
            photos = [
                photo for photo in records(answer, "photos", "photo") if text(photo.get("id")) not in seen
            ]
            for photo in photos:
                seen.add(text(photo.get("id")) or "")
                if ref := _ref(photo, query, wanted):
                    yield ref
            if not photos or page >= (pixels(record(answer, "photos").get("pages")) or 0):
                return

    def _params(self, query: str, wanted: Wanted, page: int) -> dict[str, str | int]:
        params: dict[str, str | int] = {
            "method": "flickr.photos.search",
            "api_key": self._key,
            "text": query,
            "media": "photos",
            "safe_search": 1,
            "extras": "license,owner_name,o_dims,url_o,url_l,url_m",
            "per_page": _PAGE,
            "page": page,
            "format": "json",
            "nojsoncallback": 1,
        }
        if not wanted.accepts_unknown:
            numbers = (number for number, (family, _) in _LICENSES.items() if family in wanted.licenses)
            params["license"] = ",".join(map(str, numbers))
        return params


def _check(answer: Any, headers: Mapping[str, str]) -> None:
    if not isinstance(answer, dict) or answer.get("stat") not in ("ok", "fail"):
        raise SourceError("flickr: answered with something unexpected; the service may have changed")
    if answer["stat"] == "fail":
        stated = answer.get("code")
        code = stated if isinstance(stated, int) else None
        said = f"flickr: {text(answer.get('message')) or 'no reason given'} (code {code})"
        if code in _PASSING_CODES:
            raise PassingError(
                "server-error", said, retry_after_s=parse_retry_after(headers.get("retry-after"))
            )
        raise SourceError(f"{said}; check {_KEY}" if code == 100 else said)


def _ref(photo: dict[str, Any], query: str, wanted: Wanted) -> ImageRef | None:
    identifier, owner = text(photo.get("id")), text(photo.get("owner"))
    sizes = [name for name in ("l", "o", "m") if web_address(photo.get(f"url_{name}"))]
    if identifier is None or owner is None or not sizes:
        return None
    # The 1024-pixel copy is enough, unless it is smaller than what is wanted; the original may be enormous.
    size = next((name for name in sizes if _side(photo, name) >= wanted.min_size), sizes[0])
    licence = _licence(photo.get("license"))
    title, creator = text(photo.get("title")), text(photo.get("ownername"))
    page_url = f"https://www.flickr.com/photos/{owner}/{identifier}"
    return ImageRef(
        source="flickr",
        id=identifier,
        image_url=web_address(photo.get(f"url_{size}")) or "",
        fallback_url=web_address(photo.get("url_m")) if size != "m" else None,
        width=pixels(photo.get(f"width_{size}")),
        height=pixels(photo.get(f"height_{size}")),
        license=licence.id,
        license_url=licence.url,
        license_evidence="per-image",
        creator=creator,
        creator_url=f"https://www.flickr.com/people/{owner}",
        page_url=page_url,
        title=title,
        attribution=credit_line(title, creator, licence.id, page_url),
        query=query,
    )


def _side(photo: dict[str, Any], size: str) -> int:
    return min(pixels(photo.get(f"width_{size}")) or 0, pixels(photo.get(f"height_{size}")) or 0)


def _licence(number: Any) -> Licence:
    family, version = _LICENSES.get(pixels(number) or 0, ("unknown", None))
    return normalise(None, family, version)
