"""iNaturalist: photographs of plants, fungi and animals by naturalists, each photo under its own licence.

Pages are walked by id rather than by number, since numbered pages end at 10,000. The address that the service gives
is that of a 75-pixel square; larger copies differ in one word of it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from scrapers.answers import pixels, record, records, text, web_address
from scrapers.api import Api
from scrapers.guard import netloc_of
from scrapers.licences import normalise
from scrapers.source import Access, HostLimit, ImageRef, SourceInfo, Wanted, credit_line

__all__ = ["INaturalist"]

_BASE = "https://api.inaturalist.org"
_LICENSES = ("cc0", "by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd")
_PAGE = 200
# 5 GB an hour, and the bucket dislikes bursts
_MEDIA = HostLimit(per_second=2, burst=2, concurrency=2, bytes_per_second=5e9 / 3600)


class INaturalist:
    """iNaturalist's observations and their photos."""

    info = SourceInfo(
        name="inaturalist",
        summary="plants, fungi and animals, photographed by naturalists",
        licenses=(*_LICENSES, "unknown"),
        limits="1 request a second, 10,000 a day; media 5 GB an hour",
        terms="https://www.inaturalist.org/pages/api+recommended+practices",
    )

    def __init__(self, api: Api, access: Access) -> None:
        self._api = api
        self._base = access.base_url or _BASE

    @property
    def limits(self) -> Mapping[str, HostLimit]:
        """One request a second; media without bursts."""
        return {
            netloc_of(self._base): HostLimit(per_second=1, burst=1, concurrency=1),
            "inaturalist-open-data.s3.amazonaws.com": _MEDIA,
            "static.inaturalist.org": _MEDIA,
        }

    def search(self, query: str, wanted: Wanted) -> Iterator[ImageRef]:
        """Yield the photos of the observations that the words find, oldest first."""
        params: dict[str, str | int] = {
            "q": query,
            "photos": "true",
            "per_page": _PAGE,
            "order_by": "id",
            "order": "asc",
            "id_above": 0,
        }
        if not wanted.accepts_unknown:
            codes = (name for name in wanted.licenses if name in _LICENSES)
            params["photo_license"] = ",".join(name if name == "cc0" else f"cc-{name}" for name in codes)
        while True:
            answer = self._api.get_json(f"{self._base}/v1/observations", params)
            observations = records(answer, "results")
            for observation in observations:
                yield from _refs(observation, query)
            last = max((pixels(observation.get("id")) or 0 for observation in observations), default=0)
            if len(observations) < _PAGE or last <= int(params["id_above"]):
                return
            params["id_above"] = last


def _refs(observation: dict[str, Any], query: str) -> Iterator[ImageRef]:
    """The photos of one observation; a licence that is null means all rights reserved."""
    user = record(observation, "user")
    creator = text(user.get("name")) or text(user.get("login"))
    title = text(record(observation, "taxon").get("name")) or text(observation.get("species_guess"))
    page_url = web_address(observation.get("uri"))
    for photo in records(observation, "photos"):
        identifier, square = text(photo.get("id")), web_address(photo.get("url"))
        if identifier is None or square is None:
            continue
        licence = normalise(None, text(photo.get("license_code")))
        size = record(photo, "original_dimensions")
        yield ImageRef(
            source="inaturalist",
            id=identifier,
            image_url=square.replace("/square.", "/original."),
            fallback_url=square.replace("/square.", "/large."),
            width=pixels(size.get("width")),
            height=pixels(size.get("height")),
            license=licence.id,
            license_url=licence.url,
            license_evidence="per-image" if licence.is_known else "none",
            creator=creator,
            page_url=page_url,
            title=title,
            attribution=text(photo.get("attribution")) or credit_line(title, creator, licence.id, page_url),
            query=query,
        )
