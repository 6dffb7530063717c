"""A whole scrape: search, fetch, judge, record; taken up again wherever it was cut off.

References are taken from the streams in turns, fetched many at a time (`scrapers.crew`), and judged one by one in the
order in which they were found, whichever download ended first. The folder therefore depends on what the services
answered and not on timing, and a scrape that was killed ends with the same folder as one that was not: the manifest
says what is done, the journal what was fetched or answered beyond that.

No more pictures are under way than are still wanted, so that none is fetched for nothing, and never more than a window
of them, so that memory does not grow with their number.
"""

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from scrapers.client import PoliteClient
from scrapers.config import ScrapeConfig
from scrapers.crew import Crew, Engine, Promise, Threads
from scrapers.errors import DownloadError, ScraperError, SourceError
from scrapers.fetch import Outcome
from scrapers.folder import ScrapeFolder, open_folder
from scrapers.history import History
from scrapers.journal import Journal
from scrapers.judge import Judge, Refusal
from scrapers.keys import with_config
from scrapers.manifest import Entry
from scrapers.picture import quiet_pillow
from scrapers.plan import Stream, streams_of, take_turns
from scrapers.review import write_review
from scrapers.source import ImageRef, Source
from scrapers.sources import demand_keys, info_of, make_source
from scrapers.summary import Summary

__all__ = ["gather", "preview"]

_UNREACHABLE_IN_A_ROW = 20
_NO_NETWORK = frozenset({"connection", "timeout", "dns", "host-down", "robots-unknown"})

Watcher = Callable[[Entry], None]
Warn = Callable[[str], None]


def gather(
    config: ScrapeConfig,
    *,
    watch: Watcher | None = None,
    warn: Warn | None = None,
    environ: Mapping[str, str] | None = None,
    engine: Engine | None = None,
) -> Summary:
    """Fill `config.out` with `config.count` pictures, or with as many as there are.

    Args:
        config: what to do.
        watch: called with each manifest line, those of earlier runs first.
        warn: called with what a person should know at once.
        environ: where keys are looked for; the process's own and the config file by default.
        engine: who fetches; threads of this process by default. Searching is always this process's own.

    Raises:
        ScraperError: the folder is not ours, no source answers, nothing can be reached, or the config file is broken.
        OSError: the disk is full; the same command goes on.
    """
    warn = warn or (lambda message: None)
    environ = with_config(os.environ, warn) if environ is None else environ
    _check_sources(config, environ)
    engine = engine or Threads()
    client = engine.client(config)
    with (
        quiet_pillow(),
        contextlib.closing(client),
        _naming(config.out),  # the manifest writes what it holds when it is closed, too
        open_folder(config.out) as folder,
    ):
        sources = _open_sources(config, client, folder.journal, environ, warn)
        obedient = frozenset(source.info.name for source in sources if source.info.obeys_robots)
        crew = engine.crew(config, client, folder, obedient)
        streams = streams_of(sources, config.queries, config.wanted)
        summary = _Scrape(config, folder, crew, watch, warn).run(streams)
        if config.review:
            write_review(config.out)
    return summary


def preview(
    config: ScrapeConfig, *, warn: Warn, environ: Mapping[str, str] | None = None
) -> Iterator[Entry | ImageRef]:
    """What `gather` would consider, in order, up to `count` that pass: references to fetch, entries refused at once.

    Nothing is downloaded or written; the services are asked.

    Raises:
        SourceError: no source answers.
        ConfigError: the config file is broken.
    """
    environ = with_config(os.environ, warn) if environ is None else environ
    _check_sources(config, environ)
    judge = _judge(config)
    with contextlib.closing(PoliteClient(config.client)) as client:
        sources = _open_sources(config, client, None, environ, warn)
        num_passed = 0
        failures: list[SourceError] = []

        streams = streams_of(sources, config.queries, config.wanted)

        def lost(stream: Stream, error: SourceError) -> None:
            failures.append(error)
            if len(streams) > 1 or num_passed:
                warn(str(error))

        for ref in take_turns(streams, lost):
            if refusal := judge.reference(ref) or _forbidden(client, ref):
                yield Entry(ref=ref, reason=refusal.reason, detail=refusal.detail)
                continue
            yield ref
            num_passed += 1
            if num_passed == config.count:
                return
    if failures and not num_passed:
        raise failures[0]


class _Scrape:
    """One run of `gather`: the state of its loop. Lives on the calling thread; only fetching is elsewhere."""

    def __init__(
        self, config: ScrapeConfig, folder: ScrapeFolder, crew: Crew, watch: Watcher | None, warn: Warn
    ) -> None:
        self.config = config
        self.folder = folder
        self.crew = crew
        self.watch = watch or (lambda entry: None)
        self.warn = warn
        self.judge = _judge(config)
        self.history = History(
            retry=config.retry,
            licenses=config.licenses,
            allow_private_hosts=config.client.allow_private_hosts,
        )
        self.summary = Summary(out=config.out, count=config.count)
        self.failures: list[SourceError] = []
        self.unreached: list[Entry] = []  # not written until something else shows that the network is there
        self.num_fetching = 0
        self.num_streams = 0

    def run(self, streams: list[Stream]) -> Summary:
        self.num_streams = len(streams)
        self._recall()
        refs = self.history.new_ones(take_turns(streams, self._lost))
        try:
            self._work(refs)
        finally:
            self.crew.close()
        if self.failures and not self.summary.num_kept:
            raise self.failures[0]
        self.summary.failures = [str(failure) for failure in self.failures]
        return self.summary

    def _recall(self) -> None:
        """Take in the manifest of earlier runs."""
        for entry in self.folder.history():
            is_gone = entry.file is not None and not (self.folder.path / entry.file).exists()
            self.summary.count_entry(entry, self.history.superseded(entry), is_gone=is_gone)
            self.history.add(entry)
            if self.history.is_settled(entry):
                self.judge.remember(entry)
            self.watch(entry)

    def _work(self, refs: Iterator[ImageRef]) -> None:
        pending: deque[tuple[ImageRef, Refusal | Promise]] = deque()
        while True:
            while (
                len(pending) < self.crew.window
                and self.num_fetching < self.config.count - self.summary.num_kept
            ):
                ref = next(refs, None)
                if ref is None:
                    break
                pending.append((ref, self._begin(ref)))
            if not pending:
                break
            self._settle(*pending.popleft())
        self._write_unreached()

    def _begin(self, ref: ImageRef) -> Refusal | Promise:
        if refusal := self.judge.reference(ref):
            return refusal
        self.num_fetching += 1
        return self.crew.begin(ref)

    def _settle(self, ref: ImageRef, verdict: Refusal | Promise) -> None:
        """Write the line of the picture whose turn it is."""
        if isinstance(verdict, Refusal):
            entry = Entry(ref=ref, reason=verdict.reason, detail=verdict.detail)
            is_held = bool(self.unreached)  # lines keep their order
        else:
            entry = self._entry(ref, verdict.result())
            self.num_fetching -= 1
            is_held = entry.reason in _NO_NETWORK and not self.config.keep_going
            if not is_held:
                self._write_unreached()
        if is_held:
            self.unreached.append(entry)
            self._check_network()
        else:
            self._write(entry)

    def _entry(self, ref: ImageRef, outcome: Outcome) -> Entry:
        if outcome.picture is None:
            return Entry(ref=ref, reason=outcome.reason, detail=outcome.detail)
        final = self.folder.final(ref, outcome.picture)
        fetched_url = outcome.url if outcome.url != ref.image_url else None
        if refusal := self.judge.picture(outcome.picture, final.name):
            return Entry(
                ref=ref,
                reason=refusal.reason,
                detail=refusal.detail,
                picture=outcome.picture,
                fetched_url=fetched_url,
            )
        return Entry(ref=ref, file=final.name, picture=outcome.picture, fetched_url=fetched_url)

    def _write(self, entry: Entry) -> None:
        """Make the folder, the manifest and the journal agree about a picture, in an order safe to be killed in."""
        if self.config.review and not entry.is_kept:
            self.folder.keep_thumbnail(entry)
        if entry.is_kept:
            self.folder.place(entry)
        if not self.history.says_already(entry):
            self.folder.manifest.append(entry)
            self.summary.count_entry(entry, self.history.superseded(entry), is_new=True)
            self.watch(entry)
        self.folder.forget(entry)

    def _write_unreached(self) -> None:
        for entry in self.unreached:
            self._write(entry)
        self.unreached.clear()

    def _check_network(self) -> None:
        """Stop rather than refuse picture after picture while the network is away.

        Raises:
            ScraperError: too many pictures in a row could not be reached.
        """
        missing = [entry for entry in self.unreached if entry.reason in _NO_NETWORK]
        if len(missing) >= _UNREACHABLE_IN_A_ROW:
            raise ScraperError(
                f"{len(missing)} pictures in a row could not be reached (last: {missing[-1].detail}); run the same "
                "command again when the network is back, or with --keep-going to leave them out"
            )

    def _lost(self, stream: Stream, error: SourceError) -> None:
        self.failures.append(error)
        if self.num_streams > 1 or self.summary.num_kept:  # else it is the error that ends the run
            self.warn(str(error))


@contextlib.contextmanager
def _naming(out: Path) -> Iterator[None]:
    """A write that fails does not say where; say that it was in the folder of the scrape."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(out)
        raise


def _forbidden(client: PoliteClient, ref: ImageRef) -> Refusal | None:
    """Why a reference's address must not be fetched, as far as its text tells."""
    if ref.source == "folder":
        return None
    try:
        client.guard.check_url(ref.image_url)
    except DownloadError as error:
        return Refusal(reason=error.reason, detail=str(error))
    return None


def _judge(config: ScrapeConfig) -> Judge:
    return Judge(config.wanted, config.max_distance, filters=config.filters, max_aspect=config.max_aspect)


def _check_sources(config: ScrapeConfig, environ: Mapping[str, str]) -> None:
    """Refuse before anything is made or asked.

    Raises:
        SourceError: there is no such source, its key is missing, or it has nothing under the accepted licences.
    """
    for name in config.sources:
        info = info_of(name)
        demand_keys(info, environ)
        if info.searches and any(not _is_text(query) for query in config.queries):
            raise SourceError(
                f"{name}: cannot search for words that are not in UTF-8; set the terminal to UTF-8, and type them again"
            )
        if not set(info.licenses) & set(config.licenses):
            raise SourceError(
                f"{name}: its pictures are {' or '.join(info.licenses)}, which --license does not take; "
                f"add it: --license {','.join((*config.licenses, info.licenses[0]))}"
            )


def _is_text(query: str) -> bool:
    """Whether it is whole characters; bytes of a command line that are none become lone surrogates."""
    try:
        query.encode()
    except UnicodeEncodeError:
        return False
    return True


def _open_sources(
    config: ScrapeConfig,
    client: PoliteClient,
    journal: Journal | None,
    environ: Mapping[str, str],
    warn: Warn,
) -> list[Source]:
    """Each source that was asked for; `warn` is told what a person should know before they are searched."""
    sources = [
        make_source(name, client, journal, environ, out=config.out) for name in dict.fromkeys(config.sources)
    ]
    for source in sources:
        if source.info.notice:
            warn(f"{source.info.name}: {source.info.notice}")
    if config.client.contact is None and any(source.info.searches for source in sources):
        warn("no --contact: services have nobody to complain to, and some answer more slowly")
    if config.rules.ignore_opt_out:
        warn(
            "--ignore-opt-out: taking pictures whose owners ask by X-Robots-Tag that programs leave them alone"
        )
    return sources
