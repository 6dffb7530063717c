"""Pulling a known network: what arrives is looked at, remembered, and usable by its name."""

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest

from bend.errors import ModelError
from bend.models import pull as pulling
from bend.models.pull import Pulled, destination, find_known, pull
from stylegan.checkpoint import known, load_network
from stylegan.checkpoint.cache import networks_folder, read_record
from stylegan.errors import CheckpointError
from stylegan.lock import FileLock
from tests.bend.models.shop import Shop
from tests.stylegan.checkpoint.legacy.writers import generator, write_official


@pytest.fixture(scope="session")
def pickled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("pickled") / "net.pkl"
    return write_official(path, {"G": generator(0), "G_ema": generator(2)}).read_bytes()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BEND_CACHE", str(tmp_path))
    return networks_folder()


def sell(shop: Shop, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Have the shop offer `ffhq256`."""
    entry = dataclasses.replace(known.KNOWN["ffhq256"], url=shop.address, **changes)
    monkeypatch.setitem(known.KNOWN, "ffhq256", entry)


def get(**options: Any) -> Pulled:
    return pull("ffhq256", pause=lambda seconds: None, **options)


def test_a_pulled_name_is_a_network(pickled: bytes, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Shop(pickled, ["drop"]) as shop:
        sell(shop, monkeypatch)
        pulled = get()
        assert not pulled.was_there
        assert pulled.trust == "none: first download"
        again = get()
        assert again.was_there
        assert len(shop.requests) == 2
    assert pulled.sha256 == again.sha256 == hashlib.sha256(pickled).hexdigest()
    assert pulled.path == cache / "ffhq256.pkl" == destination("ffhq256")
    assert sorted(path.name for path in cache.iterdir()) == [".ffhq256.lock", "ffhq256.json", "ffhq256.pkl"]
    network = load_network("ffhq256")
    assert network.G_ema is not None
    assert network.G_ema.img_resolution == 16


def test_the_same_file_again(pickled: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with Shop(pickled) as shop:
        sell(shop, monkeypatch)
        get()
        assert get(force=True).trust == "earlier download"
        assert len(shop.requests) == 2


def test_another_file_than_before_is_refused(
    pickled: bytes, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Shop(pickled) as shop:
        sell(shop, monkeypatch)
        get()
        shop.body = write_official(tmp_path / "other.pkl", {"G_ema": generator(5)}).read_bytes()
        with pytest.raises(
            ModelError, match=r"when it was first downloaded; not kept\. To trust the new one"
        ):
            get(force=True)
        assert (cache / "ffhq256.pkl").read_bytes() == pickled
        (cache / "ffhq256.json").unlink()
        assert get(force=True).trust == "none: first download"


@pytest.mark.parametrize("is_right", [True, False])
def test_a_published_checksum(
    pickled: bytes, cache: Path, monkeypatch: pytest.MonkeyPatch, is_right: bool
) -> None:
    with Shop(pickled) as shop:
        sell(shop, monkeypatch, sha256=hashlib.sha256(pickled if is_right else b"").hexdigest())
        if is_right:
            assert get().trust == "published"
        else:
            with pytest.raises(ModelError, match=r"has SHA-256 [0-9a-f]{64}, published is e3b0c442"):
                get()
            assert [path.name for path in cache.iterdir()] == [".ffhq256.lock"]


@pytest.mark.parametrize(
    ("fault", "why"), [("page", "is not a network"), ("short", "ends in the middle|cut short")]
)
def test_what_is_no_network_is_not_kept(
    pickled: bytes, cache: Path, monkeypatch: pytest.MonkeyPatch, fault: str, why: str
) -> None:
    with Shop(pickled, [fault]) as shop:
        sell(shop, monkeypatch)
        with pytest.raises(ModelError, match=why) as refusal:
            get()
    assert "\n" not in str(refusal.value)
    assert [path.name for path in cache.iterdir()] == [".ffhq256.lock"]
    assert read_record("ffhq256") is None


def test_a_damaged_file_is_told_and_replaced(
    pickled: bytes, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Shop(pickled) as shop:
        sell(shop, monkeypatch)
        get()
        (cache / "ffhq256.pkl").write_bytes(pickled[:-1])
        with pytest.raises(CheckpointError, match="no longer the file that was downloaded"):
            get()
        get(force=True)
    assert (cache / "ffhq256.pkl").read_bytes() == pickled


def test_two_at_once(pickled: bytes, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Shop(pickled) as shop:
        sell(shop, monkeypatch)
        cache.mkdir(parents=True)
        lock = FileLock(cache / ".ffhq256.lock")
        with pytest.raises(ModelError, match=r"is being pulled by process \d+; wait"):
            get()
        assert shop.requests == []
        lock.release()
        get()


def test_an_interruption_keeps_what_arrived(
    pickled: bytes, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with Shop(pickled * 40) as shop:
        sell(shop, monkeypatch)
        with pytest.raises(KeyboardInterrupt):
            get(on_bytes=interrupt)
        kept = (cache / "ffhq256.pkl.part").stat().st_size
        assert kept
        monkeypatch.setattr(pulling, "_check_is_network", lambda url, part: None)
        get()
        assert shop.requests[-1].headers["range"] == f"bytes={kept}-"
    assert (cache / "ffhq256.pkl").read_bytes() == pickled * 40


def test_names() -> None:
    with pytest.raises(ModelError, match="faces64: comes with bend"):
        find_known("faces64")
    with pytest.raises(ModelError, match="no network is known by this name; choose from ffhq256"):
        find_known("ffhq257")
    assert all(entry.url.startswith("https://") for entry in known.KNOWN.values())
