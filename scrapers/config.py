"""The settings of a scrape: frozen records that refuse values that make no sense.

Defaults live here and nowhere else; the command line reads them from here. Nothing heavy is imported, so that help
stays quick.
"""

from dataclasses import dataclass, field
from pathlib import Path

from scrapers.licences import DEFAULT_ACCEPTED
from scrapers.retry import RetryPolicy
from scrapers.source import HostLimit, Wanted

__all__ = ["DEFAULT_SOURCES", "FILTERS", "ClientConfig", "DownloadRules", "ScrapeConfig"]

DEFAULT_SOURCES = ("openverse", "commons")

# name -> what it refuses
FILTERS = {
    "blur": "pictures out of focus",
    "flat": "pictures on which there is next to nothing",
    "text": "screenshots, scans and other pages of print",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """How the client behaves.

    Attributes:
        product: name and version for the User-Agent, such as `bend/0.1.0`.
        contact: the operator's mail or web address, so that a host can complain before it blocks.
        allow_private_hosts: lets private and loopback addresses through.
        connect_timeout_s, read_timeout_s: limits of a single socket operation.
        total_timeout_s: limit of a whole attempt, redirects and body included.
        max_redirects: hops after the first.
        retry: when to try again.
        default_limit: pace towards a host that has no limit of its own.
        breaker_failures, breaker_rest_s: failures in a row that rest a host, and for how long.
    """

    product: str = "bend"
    contact: str | None = None
    allow_private_hosts: bool = False
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 20.0
    total_timeout_s: float = 120.0
    max_redirects: int = 5
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    default_limit: HostLimit = field(default_factory=HostLimit)
    breaker_failures: int = 5
    breaker_rest_s: float = 20.0

    def __post_init__(self) -> None:
        if self.contact is not None and not _is_contact(self.contact):
            raise ValueError(f"contact {self.contact[:100]!r}: give a mail address or a web address")
        if min(self.connect_timeout_s, self.read_timeout_s, self.total_timeout_s) <= 0:
            raise ValueError("timeouts must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadRules:
    """What a download must keep to.

    Attributes:
        max_bytes: a longer file is refused.
        ignore_opt_out: fetch in spite of `X-Robots-Tag: noai` and its like.
        agent: the name by which an `X-Robots-Tag` may address us.
    """

    max_bytes: int = 64 << 20
    ignore_opt_out: bool = False
    agent: str = "bend"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeConfig:
    """What `bend scrape` is asked to do.

    Attributes:
        queries: words; files or folders for the sources `urls` and `folder`.
        out: the folder to fill.
        sources: names of the table in `scrapers.sources`.
        count: pictures to have in the folder in the end.
        licenses: accepted licence families.
        min_size: shorter side in pixels, at least.
        max_distance: differing bits of 64 in the perceptual hash that still make two pictures the same.
        filters: names of `FILTERS`, what else a picture is refused for.
        max_aspect: longer side over shorter side, at most; None for any.
        workers: downloads at the same time, over all hosts.
        retry: look again at what earlier runs refused.
        review: write `review.html`, which shows what was kept and what was refused.
        keep_going: refuse what cannot be reached, instead of stopping after a row of them.
        client: how the network is used.
        rules: what a download must keep to.
    """

    queries: tuple[str, ...]
    out: Path
    sources: tuple[str, ...] = DEFAULT_SOURCES
    count: int = 100
    licenses: tuple[str, ...] = DEFAULT_ACCEPTED
    min_size: int = 256
    max_distance: int = 4
    filters: tuple[str, ...] = ()
    max_aspect: float | None = None
    workers: int = 8
    retry: bool = False
    review: bool = False
    keep_going: bool = False
    client: ClientConfig = field(default_factory=ClientConfig)
    rules: DownloadRules = field(default_factory=DownloadRules)

    def __post_init__(self) -> None:
        if not self.queries or not all(query.strip() for query in self.queries):
            raise ValueError("queries: give at least one, and none empty")
        if not self.sources:
            raise ValueError("sources: give at least one")
        if wrong := set(self.filters) - set(FILTERS):
            raise ValueError(f"filters {', '.join(sorted(wrong))}: choose from {', '.join(FILTERS)}")
        if self.max_aspect is not None and not self.max_aspect >= 1:
            raise ValueError(f"max_aspect {self.max_aspect}: at least 1")
        if self.count < 1 or not 1 <= self.workers <= 256:
            raise ValueError(f"count {self.count}, workers {self.workers}: at least 1, workers at most 256")

    @property
    def wanted(self) -> Wanted:
        """What is asked of every picture."""
        return Wanted(licenses=self.licenses, min_size=self.min_size)


def _is_contact(text: str) -> bool:
    if not text.isprintable() or not text.isascii() or any(c in text for c in "() \\") or len(text) > 200:
        return False
    return "@" in text.strip("@") or text.startswith(("http://", "https://"))
