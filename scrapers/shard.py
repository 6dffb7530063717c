"""A shard, some of a scrape's references, fetched apart from it: what a worker on another machine does.

A worker needs the scrape's folder, which all machines share, and a `SharedDoor`, which keeps all of them polite
together. A file grows in a folder of this attempt's own and is then renamed into the scrape's. So two attempts at one
shard, the first of which was wrongly thought dead, cannot spoil each other's files, and a file that one of them has
fetched is not fetched again. Only the scrape itself uses the journal: what that knows comes with each reference, and
what it is to note goes back with the outcome.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from scrapers.client import PoliteClient
from scrapers.config import ClientConfig, DownloadRules
from scrapers.crew import num_threads
from scrapers.fetch import Fetcher, Outcome
from scrapers.folder import FETCHED, STATE, key_of
from scrapers.gate import Door
from scrapers.picture import quiet_pillow
from scrapers.robots import Memory
from scrapers.source import ImageRef

__all__ = ["Errand", "Order", "Return", "SharedDoor", "fetch_shard"]


class SharedDoor(Door, Memory, Protocol):
    """A door that many processes go through, and what they remember together."""

    def close(self) -> None:
        """Give back all places; whoever still waits for one is refused."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is the same for all shards of a scrape.

    Attributes:
        folder: the scrape's, as every machine sees it.
        client: how the network is used.
        rules: what a download must keep to.
        obedient: sources for which robots.txt is asked.
        is_measured: measure the quality of pictures.
        num_threads: downloads at the same time, in one shard.
    """

    folder: Path
    client: ClientConfig
    rules: DownloadRules
    obedient: frozenset[str]
    is_measured: bool
    num_threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A reference to fetch.

    Attributes:
        ref: the reference.
        known: what the journal says of its addresses, by key.
    """

    ref: ImageRef
    known: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What came of an errand.

    Attributes:
        outcome: as of `Fetcher.fetch`.
        notes: what the journal is to note, by key.
    """

    outcome: Outcome
    notes: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line, without its end."""
        return json.dumps({"outcome": self.outcome.to_json(), "notes": self.notes})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """From such a line."""
        record = json.loads(text)
        return cls(outcome=Outcome.from_json(record["outcome"]), notes=record["notes"])


def fetch_shard(order: Order, errands: Sequence[Errand], door: SharedDoor, parts: Path) -> Iterator[Return]:
    """Run the errands, several at a time, and yield what came of each in their order.

    Args:
        order: what is the same for all.
        errands: the shard.
        door: of all machines; closed at the end.
        parts: a folder of this attempt alone, on the file system of the scrape's.

    Raises:
        OSError: the disk is full.
    """
    parts.mkdir(parents=True, exist_ok=True)
    store = _ShardStore(order.folder, parts, errands)
    with quiet_pillow(), contextlib.closing(PoliteClient(order.client, order.num_threads, door)) as client:
        fetcher = Fetcher(
            client,
            store,
            order.rules,
            obedient=order.obedient,
            is_measured=order.is_measured,
            memory=door,
        )
        pool = ThreadPoolExecutor(num_threads(order.num_threads), thread_name_prefix="shard")
        try:
            refs = [errand.ref for errand in errands]
            for ref, outcome in zip(refs, pool.map(fetcher.fetch, refs), strict=True):
                yield Return(outcome=outcome, notes=store.notes_on(ref))
        finally:
            door.close()
            client.close()
            pool.shutdown(wait=True, cancel_futures=True)


class _ShardStore:
    """As `scrapers.fetch.Store`."""

    def __init__(self, folder: Path, parts: Path, errands: Sequence[Errand]) -> None:
        self._fetched = folder / STATE / FETCHED
        self._parts = parts
        self._known = {key: facts for errand in errands for key, facts in errand.known}
        self._notes: dict[str, str] = {}

    def staged(self, ref: ImageRef, url: str) -> Path:
        return self._fetched / f"{key_of(ref, url)}.bin"

    def part(self, staged: Path) -> Path:
        return self._parts / f"{staged.stem}.part"

    def recover(self, ref: ImageRef, staged: Path) -> bool:
        return staged.exists()

    def outcome(self, key: str) -> str | None:
        return self._known.get(key)

    def keep_outcome(self, key: str, facts: str) -> None:
        self._notes[key] = facts

    def notes_on(self, ref: ImageRef) -> dict[str, str]:
        keys = [key_of(ref, url) for url in (ref.image_url, ref.fallback_url) if url is not None]
        return {key: self._notes[key] for key in keys if key in self._notes}
