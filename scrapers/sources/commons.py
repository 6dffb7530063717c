"""Wikimedia Commons: a hundred million freely licensed files, through MediaWiki's search.

MediaWiki reports errors inside answers of status 200, leaves `query` out where nothing was found, and gives authors
as HTML. Pictures are taken as the 1280-pixel rendering that its `thumburl` names, which is enough for training and
kinder to the servers than originals of 50 MB; the widths that exist are few, so such addresses are never made up.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from scrapers.answers import pixels, plain_text, record, records, text, web_address
from scrapers.api import Api
from scrapers.errors import PassingError, SourceError
from scrapers.guard import netloc_of
from scrapers.licences import Licence, normalise
from scrapers.retry import parse_retry_after
from scrapers.source import Access, HostLimit, ImageRef, SourceInfo, Wanted, credit_line

__all__ = ["Commons"]

_BASE = "https://commons.wikimedia.org"
_DEPTH = 10_000
_PAGE = 50
_WIDTHS = (1280, 1920, 3840)  # of those the servers render, the ones worth having
_PASSING_CODES = frozenset({"maxlag", "ratelimited", "readonly", "internal_api_error_DBQueryError"})
_PICTURES = frozenset({"image/jpeg", "image/png", "image/webp", "image/tiff", "image/gif", "image/bmp"})
_MEDIA = HostLimit(per_second=4, burst=4, concurrency=2, bytes_per_second=25e6 / 8)


class Commons:
    """Wikimedia Commons' file search."""

    info = SourceInfo(
        name="commons",
        summary="Wikimedia Commons: freely licensed files with curated licence data",
        licenses=("cc0", "pdm", "by", "by-sa", "us-gov", "unknown"),
        limits="10,000 results a query; 200 requests a minute with --contact, 10 without; 2 downloads at once",
        terms="https://foundation.wikimedia.org/wiki/Policy:User-Agent_policy",
    )

    def __init__(self, api: Api, access: Access) -> None:
        self._api = api
        self._base = access.base_url or _BASE
        self._is_identified = access.is_identified

    @property
    def limits(self) -> Mapping[str, HostLimit]:
        """Below what Wikimedia asks of identified and of anonymous programs."""
        per_second, burst = (2.5, 5) if self._is_identified else (5 / 60, 5)
        return {
            netloc_of(self._base): HostLimit(per_second=per_second, burst=burst, concurrency=3),
            "upload.wikimedia.org": _MEDIA,
        }

    def search(self, query: str, wanted: Wanted) -> Iterator[ImageRef]:
        """Yield bitmap files in the order of relevance, to its depth of 10,000."""
        width = next((width for width in _WIDTHS if width >= 2 * wanted.min_size), _WIDTHS[-1])
        params: dict[str, str | int] = {
            "action": "query",
            "format": "json",
            "formatversion": 2,
            "generator": "search",
            "gsrnamespace": 6,
            "gsrsearch": f"filetype:bitmap fileres:>{wanted.min_size} {query}",
            "gsrlimit": _PAGE,
            "gsroffset": 0,
            "prop": "imageinfo",
            "iiprop": "url|size|mime|sha1|extmetadata|user",
            "iiurlwidth": width,
            "maxlag": 5,
        }
        while True:
            answer = self._api.get_json(f"{self._base}/w/api.php", params, check=_check)
            pages = records(answer, "query", "pages")  # there is no "query" where nothing was found
            for page in sorted(pages, key=lambda page: pixels(page.get("index")) or 0):
                if ref := _ref(page, query, wanted):
                    yield ref
            further = answer.get("continue")
            if not isinstance(further, dict) or "gsroffset" not in further:
                return
            if (pixels(further["gsroffset"]) or 0) + _PAGE > _DEPTH:  # to ask for more is an error
                return
            params |= {name: value for name, value in further.items() if isinstance(value, str | int)}


def _check(answer: Any, headers: Mapping[str, str]) -> None:
    if not isinstance(answer, dict):
        raise SourceError("commons: answered with something unexpected; the service may have changed")
    error = answer.get("error")
    if isinstance(error, dict):
        said = f"commons: {text(error.get('code'))}: {plain_text(error.get('info')) or 'no reason given'}"
        if text(error.get("code")) in _PASSING_CODES:
            retry_after_s = parse_retry_after(headers.get("retry-after"))
            raise PassingError("rate-limited", said, retry_after_s=retry_after_s)
        raise SourceError(said)


def _ref(page: dict[str, Any], query: str, wanted: Wanted) -> ImageRef | None:
    info = next(iter(records(page, "imageinfo")), {})
    image_url = web_address(info.get("url"))
    if image_url is None or text(info.get("mime")) not in _PICTURES:
        return None
    facts = record(info, "extmetadata")
    licence = _licence(facts)
    title = (text(page.get("title")) or "").removeprefix("File:").rpartition(".")[0] or None
    creator = plain_text(_value(facts, "Artist")) or text(info.get("user"))
    page_url = web_address(info.get("descriptionurl"))
    rendering = _rendering(info, wanted)
    return ImageRef(
        source="commons",
        id=text(page.get("pageid")) or text(info.get("sha1")) or image_url,
        image_url=rendering or image_url,
        fallback_url=image_url if rendering else None,
        width=pixels(info.get("width")),
        height=pixels(info.get("height")),
        license=licence.id,
        license_url=web_address(_value(facts, "LicenseUrl")) or licence.url,
        license_evidence="per-image",
        creator=creator,
        page_url=page_url,
        title=title,
        attribution=credit_line(title, creator, licence.id, page_url),
        query=query,
    )


def _rendering(info: dict[str, Any], wanted: Wanted) -> str | None:
    """The ready-made smaller copy, where it is large enough."""
    address = web_address(info.get("thumburl"))
    width, height = pixels(info.get("thumbwidth")), pixels(info.get("thumbheight"))
    if address is None or address == info.get("url"):
        return None
    return address if width and height and min(width, height) >= wanted.min_size else None


def _licence(facts: dict[str, Any]) -> Licence:
    """From the licence's address, its code, or its name; the address is missing for the public domain."""
    by_code = normalise(text(_value(facts, "LicenseUrl")), text(_value(facts, "License")))
    if by_code.is_known:
        return by_code
    return normalise(None, text(_value(facts, "LicenseShortName")))


def _value(facts: dict[str, Any], name: str) -> Any:
    return record(facts, name).get("value")
