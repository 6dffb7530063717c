"""Which pictures are kept: every refusal but the network's, decided in one place and in one order.

A judgement depends only on what was judged before, never on when a download ended, so the same references give the
same set however often the scrape was interrupted. References are judged when they are found (licence, declared
size, repeats), pictures when their turn comes (measured size, same bytes, near-duplicates).
"""

import hashlib
from dataclasses import dataclass

from scrapers.dedupe import NearDuplicates
from scrapers.licences import family_of
from scrapers.manifest import Entry
from scrapers.picture import Picture
from scrapers.source import ImageRef, Wanted

__all__ = ["Judge", "Refusal"]


# The bundled photographs have 0.65 or more, 0.90 or more, and 0.03 or less; blurred by a pixel in 512, they have 0.41
# or less; pages of print have 0.14 or more.
_LEAST_SHARPNESS = 0.45
_LEAST_TEXTURE = 0.10
_MOST_TEXT = 0.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a picture is not kept.

    Attributes:
        reason: one word, counted in summaries.
        detail: one line for a person.
    """

    reason: str
    detail: str


class Judge:
    """Remembers what was kept, in a few dozen bytes per picture.

    Args:
        wanted: licences and size.
        max_distance: differing bits of the perceptual hash that still make two pictures the same.
        filters: names of `scrapers.config.FILTERS`.
        max_aspect: longer side over shorter side, at most.
    """

    def __init__(
        self,
        wanted: Wanted,
        max_distance: int,
        *,
        filters: tuple[str, ...] = (),
        max_aspect: float | None = None,
    ) -> None:
        self._wanted = wanted
        self._filters = filters
        self._max_aspect = max_aspect
        self._found: set[int] = set()
        self._bytes: dict[int, str] = {}
        self._near = NearDuplicates(max_distance)

    def remember(self, entry: Entry) -> None:
        """Take in a line that an earlier run wrote and that stands."""
        self._found |= _keys(entry.ref)
        if entry.file and entry.picture:
            self._keep(entry.picture, entry.file)

    def reference(self, ref: ImageRef) -> Refusal | None:
        """Judge a reference before anything is fetched; one that passes counts as found."""
        family = family_of(ref.license)
        if family not in self._wanted.licenses:
            return Refusal(
                reason="licence", detail=f"{ref.license}; --license takes {', '.join(self._wanted.licenses)}"
            )
        keys = _keys(ref)
        if keys & self._found:
            return Refusal(reason="same-url", detail="found before")
        self._found |= keys
        # Declared sizes may be the original's, of which the file is a preview: good for refusing only.
        return self._size(ref.width, ref.height)

    def picture(self, picture: Picture, name: str) -> Refusal | None:
        """Judge a fetched picture; one that passes counts as kept under `name`."""
        if refusal := self._size(picture.width, picture.height) or self._quality(picture):
            return refusal
        if twin := self._bytes.get(_first_digits(picture.sha256)):
            return Refusal(reason="same-bytes", detail=f"the same file as {twin}")
        if twin := self._near.find(int(picture.phash, 16)):
            return Refusal(reason="near-duplicate", detail=f"looks like {twin}")
        self._keep(picture, name)
        return None

    def _keep(self, picture: Picture, name: str) -> None:
        self._bytes[_first_digits(picture.sha256)] = name
        self._near.add(int(picture.phash, 16), name)

    def _size(self, width: int | None, height: int | None) -> Refusal | None:
        if width is None or height is None:
            return None
        if min(width, height) < self._wanted.min_size:
            return Refusal(
                reason="too-small", detail=f"{width}x{height}; --min-size is {self._wanted.min_size}"
            )
        if self._max_aspect is not None and max(width, height) > self._max_aspect * min(width, height):
            return Refusal(reason="aspect", detail=f"{width}x{height}; --max-aspect is {self._max_aspect:g}")
        return None

    def _quality(self, picture: Picture) -> Refusal | None:
        if "blur" in self._filters and (picture.sharpness or 0.0) < _LEAST_SHARPNESS:
            return Refusal(reason="blur", detail=f"sharpness {picture.sharpness}, under {_LEAST_SHARPNESS}")
        if "flat" in self._filters and (picture.texture or 0.0) < _LEAST_TEXTURE:
            return Refusal(reason="flat", detail=f"texture {picture.texture}, under {_LEAST_TEXTURE}")
        if "text" in self._filters and (picture.text or 0.0) > _MOST_TEXT:
            return Refusal(reason="text", detail=f"print on {picture.text} of it, over {_MOST_TEXT}")
        return None


def _keys(ref: ImageRef) -> set[int]:
    return {_hash_of(f"id {ref.source} {ref.id}"), _hash_of(f"url {ref.image_url}")}


def _hash_of(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


def _first_digits(hexadecimal: str) -> int:
    return int(hexadecimal[:24], 16)
