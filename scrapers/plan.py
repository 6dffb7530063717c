"""The order in which pictures are considered: every query at every source, taken in turns.

Taking turns mixes a set from its first picture on, so that one stopped early is not all of one kind, and makes the
order depend on the answers alone. A source that fails ends its own streams; the others go on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from scrapers.errors import SourceError
from scrapers.source import ImageRef, Source, Wanted

__all__ = ["Stream", "streams_of", "take_turns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What one source finds for one query."""

    name: str
    refs: Iterator[ImageRef]


def streams_of(sources: Sequence[Source], queries: Sequence[str], wanted: Wanted) -> list[Stream]:
    """A stream for every query at every source; nothing is asked until references are taken."""
    return [
        Stream(name=f"{source.info.name}: {query}", refs=source.search(query, wanted))
        for query in queries
        for source in sources
    ]


def take_turns(
    streams: Sequence[Stream], on_failure: Callable[[Stream, SourceError], None]
) -> Iterator[ImageRef]:
    """One reference of each stream in turn, until all are exhausted.

    Args:
        streams: in the order of their turns.
        on_failure: told when a stream ends early.
    """
    active = list(streams)
    while active:
        for stream in tuple(active):
            try:
                yield next(stream.refs)
            except StopIteration:
                active.remove(stream)
            except SourceError as error:
                active.remove(stream)
                on_failure(stream, error)
