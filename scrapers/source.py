"""The contract between a picture service and the rest: what it is asked, and the `ImageRef` that it yields.

A source is a class in `scrapers/sources/`, one file a service. It turns a query into references, in the service's own
order, and does nothing else: it downloads no picture, decides about no licence, remembers nothing. Everything it may
say about itself (key, limits, terms) is in its `SourceInfo`, which `bend scrape --list-sources` prints.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal, Protocol, Self

from scrapers.licences import DEFAULT_ACCEPTED, FAMILIES, UNKNOWN

__all__ = ["Access", "Evidence", "HostLimit", "ImageRef", "Source", "SourceInfo", "Wanted", "credit_line"]

Evidence = Literal["per-image", "by-filter", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRef:
    """A picture as a service described it, before anything was downloaded.

    Attributes:
        source: name of the source, a key of the table in `scrapers.sources`.
        id: the service's own id, unique and lasting within the source.
        image_url: where the picture is.
        fallback_url: a smaller or older copy, tried when `image_url` is dead.
        width, height: in pixels as declared; None where not said. They may be those of an original of which
            `image_url` is only a preview.
        license: normalised id such as `CC-BY-4.0`; `unknown` where none was recognised.
        license_url: the licence's text.
        license_evidence: `per-image` where the service states it for this picture, `by-filter` where it only
            promises to have filtered, `none` where nothing is stated.
        creator, creator_url: who made it.
        page_url: the page that shows it to a person.
        title: what it is called.
        attribution: a ready credit line.
        query: the words that found it.
    """

    source: str
    id: str
    image_url: str
    fallback_url: str | None = None
    width: int | None = None
    height: int | None = None
    license: str = UNKNOWN
    license_url: str | None = None
    license_evidence: Evidence = "none"
    creator: str | None = None
    creator_url: str | None = None
    page_url: str | None = None
    title: str | None = None
    attribution: str | None = None
    query: str = ""

    def __post_init__(self) -> None:
        if not (self.source and self.id and self.image_url):
            raise ValueError("an ImageRef needs source, id and image_url")
        if self.license_evidence not in ("per-image", "by-filter", "none"):
            raise ValueError(f"license_evidence {self.license_evidence!r}: per-image, by-filter or none")
        if any(side is not None and side <= 0 for side in (self.width, self.height)):
            raise ValueError(f"size {self.width}x{self.height}: declare positive pixels or None")
        for name in (one.name for one in fields(self)):
            # File names that are not UTF-8, and JSON with half a character, come as what no encoding can hold.
            if isinstance(value := getattr(self, name), str) and not value.isascii():
                object.__setattr__(self, name, value.encode("utf-8", "backslashreplace").decode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the person asks of every picture; a source passes on to its service what the service can filter by.

    Attributes:
        licenses: accepted licence families.
        min_size: shorter side in pixels, at least.
    """

    licenses: tuple[str, ...] = DEFAULT_ACCEPTED
    min_size: int = 256

    def __post_init__(self) -> None:
        if not self.licenses or set(self.licenses) - set(FAMILIES):
            raise ValueError(f"licenses {self.licenses}: choose from {', '.join(FAMILIES)}")
        if self.min_size < 1:
            raise ValueError(f"min_size {self.min_size}: at least 1 pixel")

    @property
    def accepts_unknown(self) -> bool:
        """Whether everything goes, so that a source need not filter by licence."""
        return UNKNOWN in self.licenses


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLimit:
    """How fast one host may be asked.

    Attributes:
        per_second: requests a second in the long run.
        burst: requests that may come at once after a pause.
        concurrency: requests under way at the same time.
        bytes_per_second: media bandwidth; None is unlimited.
    """

    per_second: float = 8.0
    burst: int = 8
    concurrency: int = 4
    bytes_per_second: float | None = None

    def __post_init__(self) -> None:
        if self.per_second <= 0 or self.burst < 1 or self.concurrency < 1:
            raise ValueError("a HostLimit needs a positive rate, burst and concurrency")

    def slowed(self, other: Self) -> Self:
        """The stricter of both in everything."""
        metered = [limit.bytes_per_second for limit in (self, other) if limit.bytes_per_second is not None]
        return replace(
            self,
            per_second=min(self.per_second, other.per_second),
            burst=min(self.burst, other.burst),
            concurrency=min(self.concurrency, other.concurrency),
            bytes_per_second=min(metered, default=None),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceInfo:
    """What a person should know about a source before using it.

    Attributes:
        name: what `--source` calls it.
        summary: what it holds, in a few words.
        keys: environment variables that it needs.
        optional_keys: environment variables that widen its limits.
        key_page: where to get a key.
        licenses: licence families that it can yield.
        evidence: the best licence evidence that it gives.
        limits: the service's limits, in words.
        terms: address of its terms of use.
        obeys_robots: whether robots.txt of the picture's host is asked first, since the host never agreed to
            serve this source's pictures to programs.
        searches: False where the query is a file or folder rather than words.
        notice: a warning to give once when it is used.
    """

    name: str
    summary: str
    keys: tuple[str, ...] = ()
    optional_keys: tuple[str, ...] = ()
    key_page: str | None = None
    licenses: tuple[str, ...] = tuple(FAMILIES)
    evidence: Evidence = "per-image"
    limits: str = ""
    terms: str = ""
    obeys_robots: bool = False
    searches: bool = True
    notice: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a source gets from outside to reach its service.

    Attributes:
        keys: values of its environment variables, those that are set.
        base_url: replaces the service's address, for a mirror or a test.
        is_identified: whether the User-Agent tells whom to complain to; some services are faster then.
        out: the folder that the run fills, which is not a source of pictures.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    base_url: str | None = None
    is_identified: bool = False
    out: Path | None = None


class Source(Protocol):
    """A picture service. Made once a run with its way to the network; may keep tokens, but no results."""

    info: SourceInfo

    @property
    def limits(self) -> Mapping[str, HostLimit]:
        """Pace by host (`host` or `host:port`), both of the service itself and of where its media are."""
        ...

    def search(self, query: str, wanted: Wanted) -> Iterator[ImageRef]:
        """Yield what the service finds, page by page as it is asked for.

        Raises:
            SourceError: the service refused or answered with something unreadable.
        """
        ...


def credit_line(title: str | None, creator: str | None, license: str, page_url: str | None) -> str:
    """A credit line of title, creator, licence and page, leaving out what is not known."""
    named = f'"{title}"' if title else "Untitled"
    by = f" by {creator}" if creator else ""
    page = f" ({page_url})" if page_url else ""
    return f"{named}{by}, {license}{page}"
