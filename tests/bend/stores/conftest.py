"""A store for each test: a new bucket on a local S3 server, and a cache of its own."""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bend.stores import store
from tests.fakes.s3 import ACCOUNT, Wire, serving

_NUMBERS = itertools.count()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket, as the tests look at it from the other side."""

    name: str
    client: Any
    wire: Wire

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    def names(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.name)
        return sorted(entry["Key"] for entry in found.get("Contents", []))

    def get(self, key: str) -> bytes:
        data: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return data

    def set(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def unfinished(self) -> list[str]:
        found = self.client.list_multipart_uploads(Bucket=self.name)
        return [entry["Key"] for entry in found.get("Uploads", [])]


@pytest.fixture(scope="session")
def s3() -> Iterator[tuple[Wire, Any]]:
    """A wire to a server, and a client that bypasses the wire."""
    import boto3

    with serving() as port, pytest.MonkeyPatch.context() as patch:
        for name, value in ACCOUNT.items():
            patch.setenv(name, value)
        wire = Wire(port)
        client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
        yield wire, client
        client.close()
        wire.close()


@pytest.fixture
def new_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, as on another machine."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("BEND_CACHE", str(cache))
    return cache


@pytest.fixture
def fresh_stores() -> Iterator[None]:
    """Open stores anew in the test, and after it."""
    store._system.cache_clear()
    yield
    store._system.cache_clear()


@pytest.fixture
def bucket(s3: tuple[Wire, Any], new_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    wire, client = s3
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{wire.port}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    name = f"bend-{next(_NUMBERS)}"
    client.create_bucket(Bucket=name)
    yield Bucket(name=name, client=client, wire=wire)
    wire.mend()
