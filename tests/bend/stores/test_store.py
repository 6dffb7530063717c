"""Objects that appear whole or not at all, over HTTP to a local S3 server whose wire breaks, and errors in one line."""

import importlib
import os
import sys
from pathlib import Path

import pytest

from bend.errors import StoreError
from bend.stores import store
from bend.stores.address import Address, parse_address
from bend.stores.store import (
    ConflictError,
    find,
    list_folders,
    look,
    need_bucket,
    put,
    put_bytes,
    read,
    remove,
)
from tests.bend.stores.conftest import Bucket


def test_an_object_is_put_looked_at_and_read(bucket: Bucket, tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"0123456789")
    address = parse_address(f"{bucket.url}/a/b/x.bin")
    assert look(address) is None
    put(address, path, replace=False)
    facts = look(address)
    assert facts is not None
    assert (facts.is_folder, facts.num_bytes) == (False, 10)
    assert bucket.get("a/b/x.bin") == b"0123456789"
    assert read(address, [(0, 3), (8, 10)]) == [b"012", b"89"]
    assert list(find(address.parent.parent)) == ["b/x.bin"]
    assert list_folders(address.parent.parent) == ["b"]
    assert look(address.parent) is not None
    remove([address, address.child("nothing")])
    assert bucket.names() == []


def test_nothing_is_written_over_unasked(bucket: Bucket, tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.write_bytes(b"mine")
    other.write_bytes(b"other")
    address = parse_address(f"{bucket.url}/x")
    put(address, mine, replace=False)
    put(address, mine, replace=False)  # an upload whose answer was lost, and that was sent again
    with pytest.raises(StoreError, match="exists already; pass --force"):
        put(address, other, replace=False)
    assert bucket.get("x") == b"mine"
    put(address, other, replace=True)
    assert bucket.get("x") == b"other"


def test_a_small_object_is_written_in_the_place_of_the_one_that_was_read(bucket: Bucket) -> None:
    address = parse_address(f"{bucket.url}/x")
    put_bytes(address, b"1", replace=False)
    before = look(address)
    put_bytes(address, b"2", over=before)
    with pytest.raises(ConflictError):
        put_bytes(address, b"3", over=before)
    with pytest.raises(ConflictError):
        put_bytes(address, b"3", replace=False)
    assert bucket.get("x") == b"2"


@pytest.mark.slow
@pytest.mark.parametrize("size", [3 << 20, 70 << 20], ids=["one request", "parts"])
def test_an_upload_that_is_cut_off_leaves_nothing_and_is_done_again(
    bucket: Bucket, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(os.urandom(size))
    address = parse_address(f"{bucket.url}/x.bin")
    bucket.wire.cut_after(size // 2)
    with pytest.raises(StoreError, match="no connection to the store, or it broke off; run the same command"):
        put(address, path, replace=False)
    assert bucket.names() == []
    bucket.wire.mend()
    put(address, path, replace=False)
    assert bucket.get("x.bin") == path.read_bytes()


def test_an_object_that_arrived_otherwise_is_noticed(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"0123456789")
    system = store._system("s3")
    monkeypatch.setattr(system, "put_file", lambda source, target, **_: bucket.set("x.bin", b"0123456780"))
    with pytest.raises(StoreError, match="what arrived there is not what was sent"):
        put(parse_address(f"{bucket.url}/x.bin"), path, replace=True)
    # The same bytes under an ETag that is not a checksum (as where the store encrypts) are read back.
    monkeypatch.setattr(system, "put_file", lambda source, target, **_: bucket.set("x.bin", b"0123456789"))
    monkeypatch.setattr(store, "_etag", lambda *_, **__: "another")
    put(parse_address(f"{bucket.url}/x.bin"), path, replace=True)


@pytest.mark.usefixtures("fresh_stores")
def test_faults_are_told_in_one_line(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    there = parse_address(f"{bucket.url}/x")

    def message(address: Address = there) -> str:
        with pytest.raises(StoreError) as refused:
            need_bucket(address)
        assert "very-secret" not in str(refused.value)
        assert "\n" not in str(refused.value)
        return str(refused.value)

    assert message(parse_address("s3://nowhere-at-all/x")).startswith("s3://nowhere-at-all: no such bucket")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    store._system.cache_clear()
    assert "no credentials; set them where" in message()
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(importlib.import_module("fsspec.registry")._registry, "s3")
    store._system.cache_clear()
    assert "the library that speaks s3:// is not installed; run pip install 'bend-gan[remote]'" in message()


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError("Access Denied"), "denied; check that these credentials may read there"),
        (TimeoutError("timed out"), "no connection to the store"),
        (
            OSError(5, "SlowDown: reduce\nyour rate"),
            "the store answers: [Errno 5] SlowDown: reduce your rate",
        ),
        (NotImplementedError(), "memory:// cannot read; use another store"),
    ],
)
def test_what_a_store_answers_is_told(error: Exception, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: str) -> None:
        raise error

    monkeypatch.setattr(store._system("memory"), "info", fail)
    with pytest.raises(StoreError) as told:
        look(parse_address("memory://bucket/x"))
    assert str(told.value).startswith(f"memory://bucket/x: {line}")


def test_a_defect_of_ours_is_no_answer_of_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store._system("memory"), "info", None)
    with pytest.raises(TypeError):
        look(parse_address("memory://bucket/x"))
