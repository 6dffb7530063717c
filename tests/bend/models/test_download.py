"""Downloads: exact, resumed where they broke off, and refused when they are not to be trusted."""

import hashlib
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from bend.errors import ModelError
from bend.models.download import Download, fetch, part_path
from tests.bend.models.shop import Shop

BODY = b"".join(hashlib.sha256(bytes([i % 256, i // 256])).digest() for i in range(40_000))  # 1.3 MB


def order(shop: Shop, folder: Path, **changes: Any) -> Download:
    fields: dict[str, Any] = {
        "url": shop.address,
        "path": folder / "net.pkl",
        "max_bytes": 1 << 22,
        "pause": lambda seconds: None,
    }
    return Download(**(fields | changes))


def ranges(shop: Shop) -> list[str]:
    return [request.headers.get("range", "") for request in shop.requests]


def start_of(asked: str) -> int:
    return int(asked.removeprefix("bytes=").rstrip("-") or 0)


def whole_blocks(num_bytes: int) -> int:
    """What is kept of that many bytes when the connection breaks."""
    return num_bytes - num_bytes % 16384


def test_a_file_arrives_exactly(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with Shop(BODY) as shop:
        got = fetch(order(shop, tmp_path, on_bytes=lambda done, total: seen.append((done, total))))
    assert got == part_path(tmp_path / "net.pkl")
    assert got.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert [path.name for path in tmp_path.iterdir()] == ["net.pkl.part"]


def test_a_broken_connection_is_taken_up_where_it_broke(tmp_path: Path) -> None:
    with Shop(BODY, ["drop", "503", "drop"]) as shop:
        assert fetch(order(shop, tmp_path)).read_bytes() == BODY
    first, second, third, fourth = map(start_of, ranges(shop))
    assert first == 0
    assert second == third == whole_blocks(len(BODY) // 2)
    assert fourth == second + whole_blocks((len(BODY) - second) // 2)
    assert {request.headers.get("if-range", '"one"') for request in shop.requests} == {'"one"'}


def test_a_later_run_goes_on(tmp_path: Path) -> None:
    pauses: list[float] = []
    with Shop(BODY, ["drop", *["503"] * 5]) as shop:
        with pytest.raises(
            ModelError, match=r"the server answers 503, 5 times; \d+ bytes are kept"
        ) as refusal:
            fetch(order(shop, tmp_path, pause=pauses.append))
        assert "\n" not in str(refusal.value)
        assert fetch(order(shop, tmp_path)).read_bytes() == BODY
    assert start_of(ranges(shop)[-1]) == whole_blocks(len(BODY) // 2)
    assert pauses == sorted(pauses)


def test_a_file_that_changed_meanwhile_is_fetched_anew(tmp_path: Path) -> None:
    with Shop(BODY, ["drop", *["503"] * 5]) as shop:
        with pytest.raises(ModelError):
            fetch(order(shop, tmp_path))
        shop.body, shop.etag = BODY[::-1], '"two"'
        assert fetch(order(shop, tmp_path)).read_bytes() == BODY[::-1]


def test_without_a_validator_nothing_is_taken_up(tmp_path: Path) -> None:
    with Shop(BODY, ["drop"], etag="") as shop:
        assert fetch(order(shop, tmp_path)).read_bytes() == BODY
    assert ranges(shop) == ["", ""]


@pytest.mark.parametrize("fault", ["other-range", "endless-range", "416"])
def test_a_wrong_part_starts_anew(tmp_path: Path, fault: str) -> None:
    with Shop(BODY, ["drop", fault]) as shop:
        assert fetch(order(shop, tmp_path)).read_bytes() == BODY
    assert ranges(shop)[-1] == ""


def test_a_file_of_unknown_length(tmp_path: Path) -> None:
    with Shop(BODY, ["no-length"]) as shop:
        assert fetch(order(shop, tmp_path)).read_bytes() == BODY
    with (
        Shop(BODY, ["no-length"]) as shop,
        pytest.raises(ModelError, match="more than the 1 MiB that are allowed"),
    ):
        fetch(order(shop, tmp_path, max_bytes=1 << 20))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_too_large_is_not_begun(tmp_path: Path) -> None:
    with Shop(BODY, ["huge"]) as shop, pytest.raises(ModelError, match="pass a larger --max-mb"):
        fetch(order(shop, tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1 << 40, 1 << 40, 1 << 20))
    with (
        Shop(BODY) as shop,
        pytest.raises(ModelError, match="65 MiB are needed and 1 MiB are free; make room"),
    ):
        fetch(order(shop, tmp_path))


@pytest.mark.parametrize("status", ["401", "403", "404", "410"])
def test_a_refusal_is_not_tried_again(tmp_path: Path, status: str) -> None:
    with Shop(BODY, [status] * 9) as shop, pytest.raises(ModelError, match=f"the server answers {status}"):
        fetch(order(shop, tmp_path))
    assert len(shop.requests) == 1


def test_redirects(tmp_path: Path) -> None:
    with Shop(BODY) as shop:
        assert fetch(order(shop, tmp_path, url=f"{shop.url}/moved")).read_bytes() == BODY
        with pytest.raises(ModelError, match="redirected more than 5 times"):
            fetch(order(shop, tmp_path, url=f"{shop.url}/loop"))


def test_only_https(tmp_path: Path) -> None:
    with Shop(BODY, ["elsewhere"]) as shop:
        with pytest.raises(ModelError, match=r"http://example\.com/net\.pkl: not an https address"):
            fetch(order(shop, tmp_path))
        for url in ("http://example.com/x", "ftp://127.0.0.1/x", "file:///etc/passwd", ""):
            with pytest.raises(ModelError, match="not an https address"):
                fetch(order(shop, tmp_path, url=url))


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("packed", r"sends the file compressed \(gzip\)"),
        ("two-lengths", "an answer that makes no sense"),
        ("bad-address", "cannot be requested"),
        ("bad-host", "cannot be requested"),
        ("bad-text", "cannot be requested"),
    ],
)
def test_answers_that_make_no_sense(tmp_path: Path, fault: str, told: str) -> None:
    with Shop(BODY, [fault]) as shop, pytest.raises(ModelError, match=told):
        fetch(order(shop, tmp_path))
    assert not part_path(tmp_path / "net.pkl").exists()


def test_certificates_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with Shop(BODY) as shop, pytest.raises(ModelError, match=r"gone\.pem.*the proxy and certificates"):
        fetch(order(shop, tmp_path, url=shop.address.replace("http:", "https:")))


def test_nobody_there(tmp_path: Path) -> None:
    with Shop(BODY) as shop:
        url = shop.address
    with pytest.raises(ModelError, match="no connection, 5 times"):
        fetch(order(shop, tmp_path, url=url))
