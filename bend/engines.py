"""What `bend scrape` and `bend package` run on: this machine, or a cluster of Ray (`--engine ray`)."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bend.errors import SettingsError
from bend.progress import tell

if TYPE_CHECKING:
    from bend.cluster.connection import Cluster
    from bend.prepare import PackageConfig, PackageReport
    from scrapers.crew import Engine

__all__ = ["fetching", "package_on_engine"]


@contextlib.contextmanager
def fetching(engine: str, address: str | None) -> Iterator["Engine | None"]:
    """The engine of a scrape; None for threads of this process.

    Args:
        engine: `local` or `ray`.
        address: of the cluster; None starts one on this machine.

    Raises:
        SettingsError: an address that the engine does not use.
        ClusterError: there is no such cluster.
    """
    _check(engine, address)
    if engine == "local":
        yield None
        return
    from bend.cluster.fetching import Fetching

    with _joined(address, None) as cluster, contextlib.closing(Fetching(cluster, tell)) as fetcher:
        yield fetcher


def package_on_engine(engine: str, address: str | None, config: "PackageConfig") -> "PackageReport":
    """Do what `bend.prepare.package` does, on an engine.

    Raises:
        SettingsError, ClusterError: as `fetching`.
        PackageError, ArchiveError, OSError: as `bend.prepare.package`.
    """
    _check(engine, address)
    if engine == "local":
        from bend.prepare import package

        return package(config)
    from bend.cluster.preparing import package_on

    with _joined(address, config.num_workers) as cluster:
        return package_on(cluster, config, tell)


@contextlib.contextmanager
def _joined(address: str | None, num_cpus: int | None) -> "Iterator[Cluster]":
    from bend.cluster.connection import joined

    # Ray prints its messages on stdout, which is for results.
    with (
        contextlib.redirect_stdout(sys.stderr),
        joined(address or os.environ.get("RAY_ADDRESS") or None, num_cpus=num_cpus) as cluster,
    ):
        yield cluster


def _check(engine: str, address: str | None) -> None:
    if engine == "local" and address is not None:
        raise SettingsError(f"--address {address}: only --engine ray has one; add it, or leave --address out")
