"""Who fetches the references that a scrape has chosen: threads of this process, or whatever an `Engine` brings.

A crew takes references one by one, in the order in which they will be judged, and returns a promise for each. It may
start on them at once or collect a few first, as long as it has started when a promise is asked for its result.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from scrapers.client import PoliteClient
from scrapers.config import ScrapeConfig
from scrapers.fetch import Fetcher, Outcome
from scrapers.folder import ScrapeFolder
from scrapers.source import ImageRef

__all__ = ["Crew", "Engine", "Promise", "Threads", "num_threads"]

_WINDOW_PER_WORKER = 4


class Promise(Protocol):
    """An outcome to come."""

    def result(self) -> Outcome:
        """The outcome, once it is there.

        Raises:
            PassingError: `stopped`.
            OSError: the disk is full.
        """
        ...


class Crew(Protocol):
    """Fetches references."""

    @property
    def window(self) -> int:
        """How many references it is worth choosing ahead."""
        ...

    def begin(self, ref: ImageRef) -> Promise:
        """Take a reference on."""
        ...

    def close(self) -> None:
        """Wake and end whatever is under way."""
        ...


class Engine(Protocol):
    """What a scrape runs on."""

    def client(self, config: ScrapeConfig) -> PoliteClient:
        """The way to the network for searching."""
        ...

    def crew(
        self, config: ScrapeConfig, client: PoliteClient, folder: ScrapeFolder, obedient: frozenset[str]
    ) -> Crew:
        """The crew that fetches into `folder`; `obedient` names the sources for which robots.txt is asked."""
        ...


class Threads:
    """The engine of one process."""

    def client(self, config: ScrapeConfig) -> PoliteClient:
        """As `Engine`."""
        return PoliteClient(config.client, config.workers)

    def crew(
        self, config: ScrapeConfig, client: PoliteClient, folder: ScrapeFolder, obedient: frozenset[str]
    ) -> Crew:
        """As `Engine`."""
        fetcher = Fetcher(client, folder, config.rules, obedient=obedient, is_measured=bool(config.filters))
        return _ThreadCrew(fetcher, config.workers)


def num_threads(workers: int) -> int:
    """Threads for that many downloads at the same time; as many again, and one, flush and decode meanwhile."""
    return 2 * workers + 1


class _ThreadCrew:
    def __init__(self, fetcher: Fetcher, workers: int) -> None:
        self.window = _WINDOW_PER_WORKER * workers
        self._fetcher = fetcher
        self._pool = ThreadPoolExecutor(num_threads(workers), thread_name_prefix="scrape")

    def begin(self, ref: ImageRef) -> Promise:
        return self._pool.submit(self._fetcher.fetch, ref)

    def close(self) -> None:
        # Workers stuck in a wait or a read are woken by the client's end.
        self._fetcher.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
