"""What the scrapers' tests share: a client without patience or pace, and the settings of a quick scrape."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from scrapers.client import PoliteClient
from scrapers.config import ClientConfig, ScrapeConfig
from scrapers.retry import RetryPolicy
from scrapers.source import HostLimit

HURRIED = ClientConfig(
    product="bend/0.0",
    contact="test@example.org",
    allow_private_hosts=True,
    connect_timeout_s=2,
    read_timeout_s=2,
    total_timeout_s=5,
    retry=RetryPolicy(num_attempts=3, base_s=0.01, cap_s=0.02, retry_after_cap_s=3),
    default_limit=HostLimit(per_second=1e6, burst=10_000, concurrency=64),
    breaker_failures=1000,
)


@pytest.fixture
def client() -> Iterator[PoliteClient]:
    """A client that talks to loopback, in a hurry."""
    with closing(PoliteClient(HURRIED)) as client:
        yield client


def scrape_config(out: Path, *queries: str, **settings: Any) -> ScrapeConfig:
    """A scrape of a few pictures in a hurry."""
    return ScrapeConfig(
        queries=queries or ("rocks",),
        out=out,
        **{"client": HURRIED, "min_size": 64, "workers": 4, **settings},
    )


def content_of(folder: Path) -> dict[str, bytes]:
    """Everything that a person sees of a scrape."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
