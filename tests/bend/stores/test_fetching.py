"""Copies in the cache: fetched once, again when the object changes, and resumed after a kill."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bend.errors import StoreError
from bend.stores import fetching, store
from bend.stores.address import Address, parse_address
from bend.stores.fetching import fetch, fetch_data, fetch_file, fetch_folder
from bend.stores.store import Facts, _system, look, read
from stylegan.archive.shard_names import find_shards
from stylegan.errors import ArchiveError
from tests.bend.conftest import Run
from tests.bend.stores.conftest import Bucket

Asked = list[tuple[str, tuple[int, int]]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What was read from the store: object and range."""
    seen: Asked = []

    def counted(address: Address, ranges: list[tuple[int, int]]) -> list[bytes]:
        seen.extend((address.name, part) for part in ranges)
        return read(address, ranges)

    monkeypatch.setattr(fetching, "read", counted)
    return seen


@pytest.fixture
def memory(new_cache: Path) -> Iterator[str]:
    """A folder of fsspec's own store in memory, which knows no ETags."""
    yield "memory://bucket"
    _system("memory").store.clear()


def test_an_object_is_fetched_once_until_it_changes(bucket: Bucket, asked: Asked) -> None:
    bucket.set("sets/rocks.zip", b"one")
    address = parse_address(f"{bucket.url}/sets/rocks.zip")
    copy = fetch_file(address)
    assert (copy.name, copy.read_bytes()) == ("rocks.zip", b"one")
    with copy.open("rb") as opened:
        assert fetch_file(address) == copy
        assert asked == [("rocks.zip", (0, 3))]
        bucket.set("sets/rocks.zip", b"three")
        assert fetch_file(address).read_bytes() == b"three"
        assert opened.read() == b"one"  # a reader of the old copy goes on with it
    assert [path.name for path in copy.parent.iterdir() if path.suffix == ".part"] == []


def test_a_damaged_copy_is_fetched_again(bucket: Bucket) -> None:
    bucket.set("x", b"whole")
    copy = fetch_file(parse_address(f"{bucket.url}/x"))
    copy.write_bytes(b"wh")
    assert fetch_file(parse_address(f"{bucket.url}/x")).read_bytes() == b"whole"


def test_a_broken_fetch_goes_on_where_it_was(
    bucket: Bucket, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_BLOCK_BYTES", 10)
    monkeypatch.setattr(fetching, "_BLOCKS_AT_ONCE", 2)
    data = bytes(range(100))
    bucket.set("x", data)
    address = parse_address(f"{bucket.url}/x")
    whole = fetching.read

    def dying(address: Address, ranges: list[tuple[int, int]]) -> list[bytes]:
        if ranges[0][0] >= 40:
            raise StoreError("broke off")
        return whole(address, ranges)

    with monkeypatch.context() as patch:
        patch.setattr(fetching, "read", dying)
        with pytest.raises(StoreError, match="broke off"):
            fetch_file(address)
    assert not (fetching.slot_of("files", address) / "x").exists()
    asked.clear()
    assert fetch_file(address).read_bytes() == data
    assert asked[0] == ("x", (40, 50))


def test_a_beginning_is_not_gone_on_with_once_the_object_is_another(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_BLOCK_BYTES", 10)
    monkeypatch.setattr(fetching, "_BLOCKS_AT_ONCE", 1)
    bucket.set("x", b"a" * 50)
    address = parse_address(f"{bucket.url}/x")

    def changing(address: Address, ranges: list[tuple[int, int]]) -> list[bytes]:
        if ranges[0][0] == 20:
            bucket.set("x", b"b" * 50)
        return read(address, ranges)

    with monkeypatch.context() as patch:
        patch.setattr(fetching, "read", changing)
        with pytest.raises(StoreError, match="changed while it was being fetched"):
            fetch_file(address)
    assert fetch_file(address).read_bytes() == b"b" * 50


def test_a_folder_is_fetched_with_what_is_new_and_without_what_is_gone(memory: str, asked: Asked) -> None:
    system = _system("memory")
    system.pipe({"/bucket/set/a.png": b"a", "/bucket/set/sub/b.png": b"b", "/bucket/setting": b"other"})
    address = parse_address(f"{memory}/set")
    copy = fetch(address)
    assert {path.relative_to(copy).as_posix() for path in copy.rglob("*.png")} == {"a.png", "sub/b.png"}
    system.rm_file("/bucket/set/a.png")
    system.pipe_file("/bucket/set/c.png", b"c")
    asked.clear()
    assert fetch(address) == copy
    assert [name for name, _ in asked] == ["c.png"]
    assert {path.name for path in copy.rglob("*.png")} == {"b.png", "c.png"}
    assert fetch_folder(address, lambda name: name == "c.png") == copy
    assert (copy / "sub" / "b.png").exists()


@pytest.mark.parametrize("name", ["rocks-{0..1}.zip", "rocks-?.zip", ""], ids=["range", "pattern", "folder"])
def test_a_data_set_of_shards_is_fetched_without_what_is_beside_it(memory: str, name: str) -> None:
    others = ("rocks-10.zip" if name else "readme.txt", "moss.tar.part", "old/rocks-0.zip")
    for file in ("rocks-0.zip", "rocks-1.zip", *others):
        _system("memory").pipe_file(f"/bucket/set/{file}", b"")
    copy = fetch_data(parse_address(f"{memory}/set/{name}"))
    assert [path.name for path in find_shards(str(copy))] == ["rocks-0.zip", "rocks-1.zip"]
    folder = copy.parent if name else copy
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {"rocks-0.zip", "rocks-1.zip"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("set.txt", "# ours\n./rocks-1.zip\nold/rocks-0.zip\n"),
        ("set.json", '["rocks-1.zip", "old/rocks-0.zip"]'),
    ],
)
def test_a_list_is_fetched_with_the_shards_that_it_names(memory: str, name: str, text: str) -> None:
    for file in ("rocks-0.zip", "rocks-1.zip", "old/rocks-0.zip"):
        _system("memory").pipe_file(f"/bucket/set/{file}", b"")
    _system("memory").pipe_file(f"/bucket/set/{name}", text.encode())
    copy = fetch_data(parse_address(f"{memory}/set/{name}"))
    found = [path.relative_to(copy.parent).as_posix() for path in find_shards(str(copy))]
    assert found == ["rocks-1.zip", "old/rocks-0.zip"]
    files = {path.relative_to(copy.parent).as_posix() for path in copy.parent.rglob("*") if path.is_file()}
    assert files == {name, "rocks-1.zip", "old/rocks-0.zip"}


@pytest.mark.parametrize("named", ["/etc/passwd", "../other/rocks.zip", "s3://art/rocks.zip"])
def test_a_list_names_only_what_lies_beside_it(memory: str, named: str) -> None:
    _system("memory").pipe_file("/bucket/set/set.txt", f"{named}\n".encode())
    with pytest.raises(
        StoreError, match=f"^{memory}/set/set.txt: names .*{Path(named).name}; a list on a store"
    ):
        fetch_data(parse_address(f"{memory}/set/set.txt"))


def test_what_is_wrong_with_a_list_is_one_line(memory: str, run: Run) -> None:
    _system("memory").pipe_file("/bucket/set/set.txt", b"rocks-0.zip\nrocks-1.zip\n")
    _system("memory").pipe_file("/bucket/set/rocks-0.zip", b"no zip")
    status, _, err = run("info", f"{memory}/set/set.txt")
    assert (status, err.count("\n")) == (1, 1)
    assert f"names {memory}/set/rocks-1.zip, which is not there" in err
    _system("memory").pipe_file("/bucket/set/options.json", b"{}")
    with pytest.raises(ArchiveError, match=rf"^{memory}/set/options\.json: must be a list of shards"):
        fetch_data(parse_address(f"{memory}/set/options.json"))


def test_info_looks_for_a_pattern_once(memory: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _system("memory").pipe_file("/bucket/set/rocks-0.zip", b"no zip")
    looks: list[str] = []

    def counted(address: Address) -> Facts | None:
        looks.append(address.name)
        return look(address)

    for module in (fetching, store):
        monkeypatch.setattr(module, "look", counted)
    status, _, err = run("info", f"{memory}/set/rocks-*.zip")
    assert (status, looks) == (1, ["rocks-*.zip"]), err
    assert "rocks-0.zip" in err


def test_a_data_set_may_be_one_file_or_none(memory: str) -> None:
    _system("memory").pipe_file("/bucket/rocks[1].zip", b"rocks")
    assert fetch_data(parse_address(f"{memory}/rocks[1].zip")).read_bytes() == b"rocks"
    with pytest.raises(StoreError, match="nothing there"):
        fetch_data(parse_address(f"{memory}/moss-*.zip"))
    with pytest.raises(ArchiveError, match="must run upwards"):
        fetch_data(parse_address(f"{memory}/moss-{{3..1}}.zip"))


def test_what_is_not_there_or_cannot_be_had_is_one_line(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match="no such object, folder or bucket"):
        fetch(parse_address(f"{memory}/x"))
    _system("memory").pipe_file("/bucket/x", b"1234")
    monkeypatch.setenv("BEND_MAX_FETCH_GB", "1e-9")
    with pytest.raises(StoreError, match=r"more than the 0\.0 that are allowed; set BEND_MAX_FETCH_GB"):
        fetch(parse_address(f"{memory}/x"))
    monkeypatch.delenv("BEND_MAX_FETCH_GB")
    monkeypatch.setattr(fetching, "_SPARE_BYTES", 1 << 60)
    with pytest.raises(StoreError, match="MiB are free; make room, or set BEND_CACHE"):
        fetch(parse_address(f"{memory}/x"))


@pytest.mark.parametrize("name", ["../x", "a//b", "a\\b", "x" * 300])
def test_a_key_that_leads_elsewhere_is_refused(memory: str, name: str) -> None:
    with pytest.raises(StoreError, match="cannot be a file name; rename it"):
        fetching.safe_name(parse_address(memory), name)
