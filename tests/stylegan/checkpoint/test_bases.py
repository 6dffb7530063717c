"""Finding the base of a delta: by argument, variable, name, recorded place, and beside the delta."""

from pathlib import Path

import pytest
import torch

from stylegan.checkpoint import DeltaBase, load_network, save_delta, save_network
from stylegan.checkpoint.bases import BASE_VARIABLE
from stylegan.errors import BaseMismatchError, CheckpointError
from tests.stylegan.checkpoint.crafted import tiny_generator


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`bases/base.safetensors`, and `other.safetensors`, which is not the base."""
    monkeypatch.delenv(BASE_VARIABLE, raising=False)
    monkeypatch.setenv("BEND_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    save_network(tmp_path / "bases" / "base.safetensors", G_ema=tiny_generator(0))
    save_network(tmp_path / "other.safetensors", G_ema=tiny_generator(9))
    return tmp_path


def write_delta(path: Path, base: Path, *, with_path: bool = False, seed: int = 1) -> Path:
    name = base.name
    start = DeltaBase(network=load_network(base), name=name, path=base if with_path else None)
    save_delta(path, base=start, G_ema=tiny_generator(seed))
    return path


def check(delta: Path, seed: int = 1, base: Path | None = None) -> None:
    G = load_network(delta, base=base).generator()
    for key, value in tiny_generator(seed).state_dict().items():
        torch.testing.assert_close(G.state_dict()[key], value, rtol=2**-9, atol=2**-9)


def test_by_argument(places: Path) -> None:
    base = places / "bases" / "base.safetensors"
    delta = write_delta(places / "d.safetensors", base)
    check(delta, base=base)
    with pytest.raises(BaseMismatchError, match=r"other\.safetensors is another network"):
        load_network(delta, base=places / "other.safetensors")
    with pytest.raises(CheckpointError, match="no such network"):
        load_network(delta, base=places / "gone.safetensors")


def test_by_variable(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = places / "bases" / "base.safetensors"
    delta = write_delta(places / "d.safetensors", base)
    monkeypatch.setenv(BASE_VARIABLE, str(base))
    check(delta)
    monkeypatch.setenv(BASE_VARIABLE, str(places / "other.safetensors"))
    with pytest.raises(BaseMismatchError):
        load_network(delta)


def test_by_name(places: Path) -> None:
    faces = load_network("faces64")
    save_delta(places / "d.safetensors", base=DeltaBase(network=faces, name="faces64"), G_ema=faces.G_ema)
    G = load_network(places / "d.safetensors").generator()
    assert torch.equal(G.mapping.fc0.weight, faces.generator().mapping.fc0.weight)


def test_by_recorded_place_after_both_moved(places: Path) -> None:
    (places / "runs").mkdir()
    write_delta(places / "runs" / "d.safetensors", places / "bases" / "base.safetensors", with_path=True)
    moved = places / "elsewhere"
    moved.mkdir()
    (places / "runs").rename(moved / "runs")
    (places / "bases").rename(moved / "bases")
    check(moved / "runs" / "d.safetensors")


def test_beside_the_delta(places: Path) -> None:
    check(write_delta(places / "bases" / "d.safetensors", places / "bases" / "base.safetensors"))


def test_a_damaged_file_of_its_name_does_not_hide_the_base(places: Path) -> None:
    delta = write_delta(places / "d.safetensors", places / "bases" / "base.safetensors", with_path=True)
    (places / "base.safetensors").write_bytes(b"damaged")
    check(delta)
    (places / "bases" / "base.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"^base\.safetensors: a text file, not a network"):
        load_network(delta)


def test_not_found_in_one_line(places: Path) -> None:
    delta = write_delta(places / "d.safetensors", places / "bases" / "base.safetensors")
    with pytest.raises(CheckpointError, match=r"a delta, which needs its base base\.safetensors") as refusal:
        load_network(delta)
    assert BASE_VARIABLE in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_chain_of_deltas(places: Path) -> None:
    folder = places / "bases"
    write_delta(folder / "one.safetensors", folder / "base.safetensors", seed=1)
    write_delta(folder / "two.safetensors", folder / "one.safetensors", seed=2)
    check(folder / "two.safetensors", seed=2)


def test_a_delta_of_itself_ends(places: Path) -> None:
    delta = write_delta(places / "base.safetensors", places / "bases" / "base.safetensors")
    with pytest.raises(CheckpointError, match="needs its base"):  # beside it lies only itself
        load_network(delta)
