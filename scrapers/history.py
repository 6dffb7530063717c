"""What earlier runs considered, so that a scrape taken up again neither repeats nor forgets anything.

The streams begin anew in every run (their answers come from the journal); the references that the manifest has are
passed over, as often as it has them. Those refused for a licence or a private address are considered again, since
people change these settings when a first run brings nothing; with `--retry` all that were refused are.
"""

import hashlib
from collections.abc import Iterator

from scrapers.licences import family_of
from scrapers.manifest import Entry
from scrapers.source import ImageRef

__all__ = ["History"]

_KEPT = ""


class History:
    """References by key, in a few dozen bytes each.

    Args:
        retry: look again at all that was refused.
        licenses: licence families accepted now.
        allow_private_hosts: private addresses are accepted now.
    """

    def __init__(self, *, retry: bool, licenses: tuple[str, ...], allow_private_hosts: bool = False) -> None:
        self._retry = retry
        self._allow_private_hosts = allow_private_hosts
        self._licenses = licenses
        self._times: dict[int, int] = {}
        self._reasons: dict[int, str] = {}

    def add(self, entry: Entry) -> None:
        """Take in a line of the manifest."""
        key = _key(entry.ref)
        self._times[key] = self._times.get(key, 0) + 1
        if entry.reason != "same-url" or key not in self._reasons:
            self._reasons[key] = entry.reason or _KEPT

    def is_settled(self, entry: Entry) -> bool:
        """Whether the line is final, so that its reference is not considered again."""
        open_again = (
            self._retry or self._is_allowed_now(entry.reason) or entry.reason in ("licence", "same-url")
        )
        return entry.is_kept or not open_again

    def new_ones(self, refs: Iterator[ImageRef]) -> Iterator[ImageRef]:
        """The references that are to be considered now."""
        for ref in refs:
            key = _key(ref)
            is_known = self._times.get(key, 0) > 0
            if is_known:
                self._times[key] -= 1
            if not is_known or self._is_up_again(key, ref):
                yield ref

    def says_already(self, entry: Entry) -> bool:
        """Whether the manifest has this refusal, so that another look brought nothing new."""
        key = _key(entry.ref)
        return self._retry and key in self._reasons and entry.reason in (self._reasons[key], "same-url")

    def superseded(self, entry: Entry) -> str | None:
        """The reason of the earlier refusal that the line replaces; None where there is none."""
        return None if entry.reason == "same-url" else self._reasons.get(_key(entry.ref)) or None

    def _is_up_again(self, key: int, ref: ImageRef) -> bool:
        reason = self._reasons[key]
        if reason == _KEPT:
            return False
        if reason == "licence":
            return self._retry or family_of(ref.license) in self._licenses
        return self._retry or self._is_allowed_now(reason)

    def _is_allowed_now(self, reason: str | None) -> bool:
        return reason == "private-address" and self._allow_private_hosts


def _key(ref: ImageRef) -> int:
    text = "\0".join((ref.source, ref.id, ref.image_url, ref.query))
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
