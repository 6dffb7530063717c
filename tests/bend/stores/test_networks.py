"""Networks on a store: a file, one moment of a run with what it is a difference from, or all moments."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bend.errors import StoreError
from bend.stores.address import parse_address
from bend.stores.names import called, spoken
from bend.stores.networks import fetch_network, fetch_options, outline_run
from bend.stores.store import _system
from stylegan.checkpoint import list_snapshots, load_network, save_network
from stylegan.checkpoint.delta import DeltaBase, save_delta
from tests.bend.tiny import tiny_generator

RUN = "memory://b/runs/00000-a-b"


@pytest.fixture(autouse=True)
def memory(new_cache: Path, tmp_path: Path) -> Iterator[Any]:
    system = _system("memory")
    first = tmp_path / "snapshot-000000.000.safetensors"
    save_network(first, G_ema=tiny_generator())
    for kimg in (1, 2):
        path = tmp_path / f"snapshot-{kimg:06d}.000.safetensors"
        save_network(path, G_ema=tiny_generator(seed=kimg))
    base = DeltaBase(network=load_network(first), name=first.name, path=first)
    save_delta(tmp_path / "snapshot-000003.000.safetensors", base=base, G_ema=tiny_generator(seed=3))
    for path in tmp_path.glob("snapshot-*"):
        system.pipe_file(f"/b/runs/00000-a-b/{path.name}", path.read_bytes())
    system.pipe_file("/b/runs/00000-a-b/training_options.json", b"{}")
    system.pipe_file("/b/runs/00000-a-b/newest.json", json.dumps({"data": "memory://b/x.zip"}).encode())
    system.pipe_file("/b/runs/00000-a-b/state-0123456789abcdef.pt", b"large")
    yield system
    system.store.clear()


def moments(run: str) -> list[float]:
    return [kimg for kimg, _ in list_snapshots(run)]


def test_one_moment_is_one_snapshot() -> None:
    with called():
        network = fetch_network(f"{RUN}@2", whole_run=True)
        assert moments(network.removesuffix("@2")) == [2]
        assert spoken(f"{network}: drawn") == f"{RUN}@2: drawn"
        wanted = tiny_generator(seed=2).state_dict()["synthesis.b4.const"]
        found = load_network(network).generator().state_dict()["synthesis.b4.const"]
        assert (wanted == found).all()


def test_a_difference_comes_with_its_base() -> None:
    network = fetch_network(f"{RUN}@3", whole_run=True)
    assert moments(network.removesuffix("@3")) == [0, 3]
    assert load_network(network).G_ema is not None


def test_a_run_is_all_its_snapshots_or_the_last() -> None:
    last = fetch_network(RUN, whole_run=False)
    assert moments(last) == [0, 3]
    assert fetch_network(RUN, whole_run=True) == last
    assert moments(last) == [0, 1, 2, 3]
    assert not list(Path(last).glob("state*"))


def test_a_file_is_a_file(memory: Any) -> None:
    memory.pipe_file("/b/net@2.pkl", b"net")
    assert Path(fetch_network("memory://b/net@2.pkl", whole_run=False)).read_bytes() == b"net"


def test_an_outline_is_names_and_tables(tmp_path: Path) -> None:
    run = outline_run(parse_address(RUN), tmp_path / "outline")
    sizes = {path.name: path.stat().st_size for path in run.iterdir()}
    assert {name for name, size in sizes.items() if size} == {"training_options.json", "newest.json"}
    assert {"state-latest.pt", "snapshot-000003.000.safetensors"} <= set(sizes)
    run = outline_run(parse_address(RUN), tmp_path / "drawn", with_last=True)
    assert (run / "snapshot-000003.000.safetensors").stat().st_size
    assert not (run / "snapshot-000002.000.safetensors").stat().st_size


def test_the_options_of_a_run_are_found_from_its_snapshot_too() -> None:
    for address in (RUN, f"{RUN}/snapshot-000001.000.safetensors"):
        assert (fetch_options(parse_address(address)) / "training_options.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{RUN}@7", r"00000-a-b@7: no snapshot at that moment; this run has 0, 1, 2, 3"),
        (f"{RUN}@soon", "'soon' is not a number of kimg"),
        ("memory://b/nothing", "no such object, folder or bucket"),
        ("memory://b/runs", "no snapshots in this folder"),
    ],
)
def test_what_is_not_there_is_told(text: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        fetch_network(text, whole_run=True)
