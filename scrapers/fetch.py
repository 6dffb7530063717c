"""What a worker does with one reference: fetch it, look at it, and note the outcome so that it is done once.

Outcomes are facts about a URL, independent of any other picture; `scrapers.judge` decides which pictures are kept. A
worker holds one of the client's places only while it uses the network. With more workers than places, flushing and
decoding one picture therefore never delay the request for another.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from scrapers.client import PoliteClient
from scrapers.config import DownloadRules
from scrapers.download import copy_local, download
from scrapers.errors import DownloadError, PassingError
from scrapers.folder import key_of
from scrapers.picture import Picture, inspect
from scrapers.robots import Memory, Robots
from scrapers.source import ImageRef

__all__ = ["Fetcher", "Outcome", "Store"]

# What an owner or the operator refuses; that holds for the copy at `fallback_url` too.
_NO_FALLBACK = frozenset({"opt-out", "robots", "legal-reasons", "private-address", "bad-url", "stopped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What fetching a URL came to.

    Attributes:
        url: the address that was fetched.
        picture: what the file is; None where there is none.
        reason: why there is none, one word. Only such outcomes are noted: a picture can be inspected again.
        detail: the same in one line.
        may_pass: whether another run may do better.
    """

    url: str
    picture: Picture | None = None
    reason: str | None = None
    detail: str | None = None
    may_pass: bool = False

    def to_json(self) -> str:
        """As text, for the journal or to be sent from another machine."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From such a text."""
        record = json.loads(text)
        if record["picture"] is not None:
            record["picture"] = Picture(**record["picture"])
        return cls(**record)


class Store(Protocol):
    """Where files and outcomes wait for their turn: a scrape's folder, or a shard of it."""

    def staged(self, ref: ImageRef, url: str) -> Path:
        """Where the file fetched from `url` waits."""
        ...

    def part(self, staged: Path) -> Path:
        """Where it grows."""
        ...

    def recover(self, ref: ImageRef, staged: Path) -> bool:
        """Whether it has been fetched before, and is then at `staged`."""
        ...

    def outcome(self, key: str) -> str | None:
        """What is known to have come of a fetch."""
        ...

    def keep_outcome(self, key: str, facts: str) -> None:
        """Note what came of a fetch."""
        ...


class Fetcher:
    """Fetches references into a store. Safe to use from many threads.

    Args:
        client: the network.
        store: where files wait for their turn.
        rules: what a download must keep to.
        obedient: sources for which robots.txt is asked.
        is_measured: measure the quality of pictures.
        memory: where robots.txt of a host may be known already.
    """

    def __init__(
        self,
        client: PoliteClient,
        store: Store,
        rules: DownloadRules,
        *,
        obedient: frozenset[str],
        is_measured: bool = False,
        memory: Memory | None = None,
    ) -> None:
        self._client = client
        self._store = store
        self._rules = rules
        self._robots = Robots(client, rules.agent, memory)
        self._obedient = obedient
        self._is_measured = is_measured

    def fetch(self, ref: ImageRef) -> Outcome:
        """Fetch the picture, or else its fallback; the first address's outcome stands where both fail.

        Raises:
            PassingError: `stopped`.
            OSError: the disk is full.
        """
        first = self._outcome(ref, ref.image_url)
        if first.picture or ref.fallback_url is None or first.reason in _NO_FALLBACK:
            return first
        second = self._outcome(ref, ref.fallback_url)
        return second if second.picture else first

    def close(self) -> None:
        """Wake and end whatever is under way."""
        self._client.close()

    def _outcome(self, ref: ImageRef, url: str) -> Outcome:
        key = key_of(ref, url)
        if (noted := self._store.outcome(key)) is not None:
            return Outcome.from_json(noted)
        outcome = self._fresh(ref, url)
        if outcome.picture is None and not outcome.may_pass:
            self._store.keep_outcome(key, outcome.to_json())
        return outcome

    def _fresh(self, ref: ImageRef, url: str) -> Outcome:
        staged = self._store.staged(ref, url)
        try:
            if not self._store.recover(ref, staged):
                self._get(ref, url, staged)
            return Outcome(url=url, picture=inspect(staged, is_measured=self._is_measured))
        except PassingError as error:
            if error.reason == "stopped":
                raise
            return Outcome(url=url, reason=error.reason, detail=str(error), may_pass=True)
        except DownloadError as error:
            staged.unlink(missing_ok=True)
            return Outcome(url=url, reason=error.reason, detail=str(error))

    def _get(self, ref: ImageRef, url: str, staged: Path) -> None:
        if ref.source == "folder":
            copy_local(_local_path(url), staged, self._store.part(staged), self._rules)
            return
        self._client.guard.check_url(url)
        admit = self._demand_robots if ref.source in self._obedient else None
        if admit is not None:
            admit(url)
        download(self._client, url, staged, self._store.part(staged), self._rules, admit)

    def _demand_robots(self, url: str) -> None:
        if not self._robots.allows(url):
            raise DownloadError("robots", f"{url}: robots.txt of its host says no")


def _local_path(url: str) -> Path:
    """The path of a `file:` address, whatever bytes its name is made of."""
    path = urlsplit(url).path
    return Path(url2pathname(path) if os.name == "nt" else os.fsdecode(unquote_to_bytes(path)))
