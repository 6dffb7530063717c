"""Joining a Ray cluster: one that is running, or one started on this machine for the length of the command.

Ray fails in unfriendly ways: it retries for a minute, and aborts the process if another program listens at the address.
So the address is tried beforehand, within a deadline, and what is wrong is said in one line.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bend.errors import ClusterError

__all__ = ["Cluster", "joined"]

_CONNECT_S = 10.0
_ANSWER_S = 45.0  # importing Ray alone takes seconds
_OBJECT_STORE_BYTES = 80 << 20  # the least that Ray accepts; results go through files


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster that this process has joined.

    Attributes:
        ray: the module.
        num_slots: tasks that it can run at the same time.
    """

    ray: Any
    num_slots: int


@contextlib.contextmanager
def joined(address: str | None, *, num_cpus: int | None = None) -> Iterator[Cluster]:
    """Join a cluster for as long as the block lasts; one that this process has already joined is not left.

    Args:
        address: `HOST:PORT` or `auto`, of a cluster that this machine belongs to; None starts one here.
        num_cpus: how many tasks a cluster started here runs at once; one a core by default.

    Raises:
        ClusterError: Ray is not installed, or there is no such cluster.
    """
    ray = _import_ray()
    if ray.is_initialized():
        yield _cluster(ray)
        return
    with _own_signals():
        if address is None:
            _start(ray, num_cpus)
        else:
            _connect(ray, address)
    try:
        yield _cluster(ray)
    finally:
        ray.shutdown()


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        if error.name != "ray":
            raise ClusterError(f"--engine ray: Ray cannot be imported ({error}); install it anew") from None
        raise ClusterError(
            "--engine ray: Ray is not installed; pip install 'bend-gan[ray]', or leave --engine out"
        ) from None
    return ray


def _cluster(ray: Any) -> Cluster:
    return Cluster(ray=ray, num_slots=max(1, int(ray.cluster_resources().get("CPU", 1))))


def _start(ray: Any, num_cpus: int | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that we start reports to nobody
    try:
        ray.init(
            address="local",
            num_cpus=num_cpus,
            object_store_memory=_OBJECT_STORE_BYTES,
            **_quietly(),
        )
    except Exception as error:
        raise ClusterError(f"Ray cannot start on this machine: {_first_line(error)}") from error


def _connect(ray: Any, address: str) -> None:
    _refuse_address(address)
    try:
        ray.init(address=address, **_quietly())
    except Exception as error:
        raise ClusterError(
            f"--address {address}: cannot join the cluster: {_first_line(error)}; run `ray start "
            f"--address={address}` on this machine first"
        ) from error


def _refuse_address(address: str) -> None:
    """Refuse an address that cannot work, before Ray tries it for a minute."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "//" in address or not host or not port.isdecimal() or int(port) > 65535:
        raise ClusterError(
            f"--address {address}: give HOST:PORT of the cluster's head, such as 10.0.0.1:6379"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except OSError as error:
        reason = error.strerror or f"no answer in {_CONNECT_S:.0f} s"
        raise ClusterError(
            f"--address {address}: cannot be reached ({reason}); run `ray status` on the head"
        ) from None
    # In another process, since Ray aborts the one that calls it if something else listens there.
    command = [sys.executable, "-P", "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        done = subprocess.run(command, check=False, capture_output=True, timeout=_ANSWER_S)
        is_healthy = done.returncode == 0
    except subprocess.TimeoutExpired:
        is_healthy = False
    if not is_healthy:
        raise ClusterError(
            f"--address {address}: what listens there does not answer as a Ray cluster of this release; "
            "if it requires a token, set RAY_AUTH_MODE=token"
        )


def _quietly() -> dict[str, Any]:
    return {
        "include_dashboard": False,
        "configure_logging": False,
        "log_to_driver": False,
        "logging_level": "error",
    }


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this program's SIGTERM handler, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
