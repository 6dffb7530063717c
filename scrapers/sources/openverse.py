"""Openverse: a search over hundreds of millions of openly licensed pictures, with a licence for each.

Works without a key at 20 results a page and 20 pages a minute; a free client id and secret widen that. Results end
at 240 a query, so many narrow queries find more than one wide one.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from scrapers.answers import pixels, records, text, web_address
from scrapers.api import Api
from scrapers.errors import SourceError
from scrapers.guard import netloc_of
from scrapers.licences import normalise
from scrapers.source import Access, HostLimit, ImageRef, SourceInfo, Wanted, credit_line

__all__ = ["Openverse"]

_BASE = "https://api.openverse.org"
_DEPTH = 240
_PAGE, _LARGER_PAGE = 20, 48  # of at most 20 and, with a key, 50; both divide the depth
_LICENSES = ("by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd", "cc0", "pdm")
_EXPLAIN = {
    400: "another --license or shorter words may do",
    401: "check OPENVERSE_CLIENT_ID and OPENVERSE_CLIENT_SECRET",
    403: "its network refuses this address, as it does many data centres; try from another, or another --source",
}


class Openverse:
    """Openverse's image search."""

    info = SourceInfo(
        name="openverse",
        summary="openly licensed pictures from Flickr, museums, Wikimedia and more",
        optional_keys=("OPENVERSE_CLIENT_ID", "OPENVERSE_CLIENT_SECRET"),
        key_page="https://api.openverse.org/v1/#tag/auth",
        licenses=_LICENSES,
        limits="240 results a query; without a key 20 requests a minute, 200 a day; with one 100 and 10,000",
        terms="https://docs.openverse.org/terms_of_service.html",
    )

    def __init__(self, api: Api, access: Access) -> None:
        self._api = api
        self._base = access.base_url or _BASE
        self._keys = access.keys
        self._token: str | None = None

    @property
    def limits(self) -> Mapping[str, HostLimit]:
        """Below what the service allows, burst and refill of a minute taken together."""
        per_second, burst = (80 / 60, 20) if self._has_key else (10 / 60, 10)
        return {netloc_of(self._base): HostLimit(per_second=per_second, burst=burst, concurrency=2)}

    def search(self, query: str, wanted: Wanted) -> Iterator[ImageRef]:
        """Yield results in the service's order, to its depth of 240."""
        if len(query) > 200:
            raise SourceError("openverse: takes at most 200 characters of words; use several shorter queries")
        page_size = _LARGER_PAGE if self._has_key else _PAGE  # above the limit the answer is 401
        for page in range(1, _DEPTH // page_size + 1):
            answer = self._ask(query, wanted, page, page_size)
            for record in records(answer, "results"):
                if ref := _ref(record, query):
                    yield ref
            if page >= (pixels(answer.get("page_count")) or 0):
                return

    @property
    def _has_key(self) -> bool:
        return len(self._keys) == 2

    def _ask(self, query: str, wanted: Wanted, page: int, page_size: int) -> dict[str, Any]:
        params: dict[str, str | int] = {"q": query, "page": page, "page_size": page_size}
        if not wanted.accepts_unknown:
            params["license"] = ",".join(name for name in wanted.licenses if name in _LICENSES)
        headers = {"Authorization": f"Bearer {self._bearer()}"} if self._has_key else {}
        answer = self._api.get_json(f"{self._base}/v1/images/", params, headers=headers, explain=_EXPLAIN)
        if not isinstance(answer, dict) or "results" not in answer:
            raise SourceError("openverse: answered without results; the service may have changed")
        return answer

    def _bearer(self) -> str:
        if self._token is None:
            answer = self._api.post_form(
                f"{self._base}/v1/auth_tokens/token/",
                {
                    "grant_type": "client_credentials",
                    "client_id": self._keys["OPENVERSE_CLIENT_ID"],
                    "client_secret": self._keys["OPENVERSE_CLIENT_SECRET"],
                },
            )
            self._token = text(answer.get("access_token")) if isinstance(answer, dict) else None
            if self._token is None:
                raise SourceError(
                    "openverse: gave no token; check OPENVERSE_CLIENT_ID and OPENVERSE_CLIENT_SECRET"
                )
        return self._token


def _ref(record: dict[str, Any], query: str) -> ImageRef | None:
    identifier, image_url = text(record.get("id")), web_address(record.get("url"))
    if identifier is None or image_url is None:
        return None
    licence = normalise(
        text(record.get("license_url")), text(record.get("license")), text(record.get("license_version"))
    )
    title, creator = text(record.get("title")), text(record.get("creator"))
    page_url = web_address(record.get("foreign_landing_url"))
    return ImageRef(
        source="openverse",
        id=identifier,
        image_url=image_url,
        fallback_url=web_address(record.get("thumbnail")),
        width=pixels(record.get("width")),
        height=pixels(record.get("height")),
        license=licence.id,
        license_url=text(record.get("license_url")) or licence.url,
        license_evidence="per-image",
        creator=creator,
        creator_url=web_address(record.get("creator_url")),
        page_url=page_url,
        title=title,
        attribution=text(record.get("attribution")) or credit_line(title, creator, licence.id, page_url),
        query=query,
    )
