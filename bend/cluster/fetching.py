"""The downloads of `bend scrape` on a cluster; an engine as `scrapers.crew` describes it.

The scrape is otherwise that of one machine: this process searches, chooses, judges in order and writes the manifest.
What it has chosen is cut into shards, in order, which workers fetch into the scrape's folder. If a result is asked for
before its shard is full, the shard is sent off as it is, so that no more is fetched than is wanted.
"""

import contextlib
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bend.cluster.connection import Cluster
from bend.cluster.desk import DeskDoor, open_desk
from bend.cluster.runner import Runner
from bend.cluster.shards import DONE, Shard, ShardFolder, shard_name
from scrapers.client import PoliteClient
from scrapers.config import ScrapeConfig
from scrapers.crew import Crew, Promise
from scrapers.fetch import Outcome
from scrapers.folder import STATE, ScrapeFolder, key_of
from scrapers.shard import Errand, Order, Return, fetch_shard
from scrapers.source import ImageRef

__all__ = ["Fetching"]

_SHARD_SIZE = 64


class Fetching:
    """A `scrapers.crew.Engine`.

    Args:
        cluster: where.
        warn: called with a message when a worker was lost.
        shard_size: references in a shard.
    """

    def __init__(
        self, cluster: Cluster, warn: Callable[[str], None], *, shard_size: int = _SHARD_SIZE
    ) -> None:
        self._cluster = cluster
        self._warn = warn
        self._shard_size = shard_size
        self._doors: list[DeskDoor] = []

    def close(self) -> None:
        """Free all places at the desk."""
        for door in self._doors:
            door.close()

    def client(self, config: ScrapeConfig) -> PoliteClient:
        """The client that searches, which keeps to the same desk as all workers."""
        ray = self._cluster.ray
        door = DeskDoor(ray, f"search-{uuid.uuid4().hex[:12]}", open_desk(ray, config.client))
        self._doors.append(door)
        return PoliteClient(config.client, config.workers, door)

    def crew(
        self, config: ScrapeConfig, client: PoliteClient, folder: ScrapeFolder, obedient: frozenset[str]
    ) -> Crew:
        """As `scrapers.crew.Engine`."""
        order = Order(
            folder=folder.path.absolute(),
            client=config.client,
            rules=config.rules,
            obedient=obedient,
            is_measured=bool(config.filters),
            num_threads=config.workers,
        )
        return _ShardCrew(self._cluster, order, folder, self._doors[-1], self._warn, self._shard_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class _FetchJob:
    """A `bend.cluster.runner.Job`."""

    order: Order

    def results(self, items: Sequence[Errand], holder: str) -> Iterator[bytes]:
        import ray

        parts = _parts(self.order.folder, holder)
        try:
            for done in fetch_shard(self.order, items, DeskDoor(ray, holder), parts):
                yield done.to_json().encode() + b"\n"
        finally:
            shutil.rmtree(parts, ignore_errors=True)


class _ShardCrew:
    def __init__(
        self,
        cluster: Cluster,
        order: Order,
        folder: ScrapeFolder,
        door: DeskDoor,
        warn: Callable[[str], None],
        shard_size: int,
    ) -> None:
        self._folder = folder
        self._door = door
        self._shard_size = shard_size
        self._shards = ShardFolder(path=order.folder / STATE / "shards")
        self._shards.path.mkdir(exist_ok=True)
        self._harvest()
        self._runner = Runner(cluster, _FetchJob(order=order), self._shards, warn=warn, on_lost=self._bury)
        self._num_batches = 0
        self._open = _Batch()
        self.window = self._runner.num_ahead * shard_size

    def begin(self, ref: ImageRef) -> Promise:
        self._folder.recover(ref, self._folder.staged(ref, ref.image_url))
        keys = [key_of(ref, url) for url in (ref.image_url, ref.fallback_url) if url is not None]
        known = ((key, self._folder.outcome(key)) for key in keys)
        promise = _ShardPromise(self, self._open, len(self._open.errands))
        self._open.errands.append(
            Errand(ref=ref, known=tuple((key, facts) for key, facts in known if facts is not None))
        )
        if len(self._open.errands) == self._shard_size:
            self._send()
        return promise

    def close(self) -> None:
        self._runner.close()
        self._door.close()
        self._harvest()
        with contextlib.suppress(OSError):  # a worker may still be ending; the next run removes it
            self._shards.path.rmdir()

    def returns_of(self, batch: "_Batch") -> list[Return]:
        """Wait for a batch, and give its results."""
        if batch.shard is None:
            self._send()
        if batch.returns is None:
            assert batch.shard is not None
            self._runner.wait(batch.shard)
            batch.returns = self._take(self._shards.results(batch.shard.name))
        return batch.returns

    def _send(self) -> None:
        batch, self._open = self._open, _Batch()
        refs = [errand.ref for errand in batch.errands]
        name = shard_name(self._num_batches, *(key_of(ref, ref.image_url) for ref in refs))
        batch.shard = Shard(name=name, items=tuple(batch.errands))
        self._num_batches += 1
        self._runner.submit(batch.shard)

    def _take(self, path: Path) -> list[Return]:
        """Read a shard's results, and note in the journal what the next run must know if this one is killed."""
        with self._shards.open(path) as file:
            found = [Return.from_json(line) for line in file]
        for each in found:
            for key, facts in each.notes.items():
                self._folder.keep_outcome(key, facts)
        path.unlink()
        return found

    def _harvest(self) -> None:
        """Note the results of finished shards that nobody asked for, and remove the rest."""
        for path in sorted(self._shards.path.iterdir()):
            if path.suffix == DONE:
                self._take(path)
            elif path.is_dir():
                shutil.rmtree(path, ignore_errors=True)

    def _bury(self, holder: str) -> None:
        self._door.forget(holder)
        shutil.rmtree(_parts(self._folder.path, holder), ignore_errors=True)


@dataclass(slots=True)
class _Batch:
    """The errands of one shard, before it is sent off and afterwards."""

    errands: list[Errand] = field(default_factory=list)
    shard: Shard | None = None
    """None until it is sent off."""
    returns: list[Return] | None = None


@dataclass(frozen=True, slots=True)
class _ShardPromise:
    crew: _ShardCrew
    batch: _Batch
    index: int

    def result(self) -> Outcome:
        return self.crew.returns_of(self.batch)[self.index].outcome


def _parts(folder: Path, holder: str) -> Path:
    return folder / STATE / "shards" / f"parts-{holder}"
