"""A real Ray cluster of two workers on loopback, and a record of what was submitted to it."""

import signal
from collections.abc import Iterator

import pytest

from bend.cluster.connection import Cluster, joined
from bend.cluster.runner import Runner
from bend.cluster.shards import Shard


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """One cluster for all tests here that run in one test process."""
    handler = signal.getsignal(signal.SIGTERM)
    with joined(None, num_cpus=2) as cluster:
        assert signal.getsignal(signal.SIGTERM) is handler  # Ray would install its own
        yield cluster


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The numbers of shard and attempt of everything submitted."""
    seen: list[tuple[int, int]] = []
    submit = Runner.submit

    def spy(self: Runner, shard: Shard, attempt: int = 1) -> None:
        seen.append((int(shard.name.partition("-")[0]), attempt))
        submit(self, shard, attempt)

    monkeypatch.setattr(Runner, "submit", spy)
    return seen
