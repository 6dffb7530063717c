"""rosinality's `.pt` files, of both formats of torch and with everything that a training adds."""

import io
import math
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from stylegan.checkpoint.legacy import is_legacy, load_legacy
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.legacy.writers import (
    assert_same,
    discriminator,
    generator,
    rosinality_state,
    training_extras,
    write_rosinality,
)


@pytest.mark.parametrize("is_legacy_format", [False, True], ids=["zip", "legacy"])
def test_reads_a_converted_file_exactly(tmp_path: Path, is_legacy_format: bool) -> None:
    G, D = generator(0), discriminator(1)
    w_avg = G.mapping.w_avg.clone()
    path = write_rosinality(
        tmp_path / "n.pt", {"g_ema": G, "d": D}, is_legacy=is_legacy_format, latent_avg=w_avg
    )
    assert is_legacy(path)
    network = load_legacy(path)
    assert network.G is None
    assert_same(network.G_ema, G)
    assert_same(network.D, D)


@pytest.mark.parametrize("is_legacy_format", [False, True], ids=["zip", "legacy"])
def test_reads_a_file_of_a_training(tmp_path: Path, is_legacy_format: bool) -> None:
    G, G_ema = generator(0), generator(2)
    path = write_rosinality(
        tmp_path / "n.pt", {"g": G, "g_ema": G_ema}, is_legacy=is_legacy_format, **training_extras()
    )
    network = load_legacy(path)
    assert network.meta.augment_p == 0.375
    assert network.G is not None
    assert network.G_ema is not None
    # Such a file lacks the mean of w, which is measured instead; everything else is exact.
    z = torch.randn(20_000, 8, generator=torch.Generator().manual_seed(9))
    mean = G_ema.mapping(z, None)[:, 0].mean(dim=0)
    assert torch.allclose(network.G_ema.mapping.w_avg, mean, atol=0.05 * G_ema.mapping(z, None).std().item())
    G.mapping.w_avg.copy_(network.G.mapping.w_avg)
    G_ema.mapping.w_avg.copy_(network.G_ema.mapping.w_avg)
    assert_same(network.G, G)
    assert_same(network.G_ema, G_ema)


@pytest.mark.parametrize(
    "p", [-0.5, 2, 2**2000, math.nan, "half"], ids=["below", "above", "huge", "nan", "word"]
)
def test_no_probability_of_augmentation_is_none(tmp_path: Path, p: object) -> None:
    path = write_rosinality(tmp_path / "n.pt", {"g_ema": generator()}, ada_aug_p=p)
    assert load_legacy(path).meta.augment_p == 0.0


@pytest.mark.parametrize("prefix", ["", "module."])
def test_reads_a_state_dict_by_itself(tmp_path: Path, prefix: str) -> None:
    G = generator()
    state = {f"{prefix}{key}": value for key, value in rosinality_state(G).items()}
    torch.save(state, tmp_path / "n.pt")
    network = load_legacy(tmp_path / "n.pt")
    assert (network.G, network.D, network.format) == (None, None, "rosinality")
    G.mapping.w_avg.copy_(network.generator().mapping.w_avg)
    assert_same(network.G_ema, G)


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    path = write_rosinality(tmp_path / "n.pt", {"g_ema": generator()})
    assert_same(load_legacy(path).G_ema, load_legacy(path).G_ema)


def test_renders_the_same_pictures(tmp_path: Path) -> None:
    G = generator()
    path = write_rosinality(tmp_path / "n.pt", {"g_ema": G}, latent_avg=G.mapping.w_avg.clone())
    actual = load_legacy(path).generator()
    z = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(
        actual(z, truncation_psi=0.5, noise_mode="const"), G(z, truncation_psi=0.5, noise_mode="const")
    )


def damaged_state(change: str) -> dict[str, Any]:
    state: dict[str, Any] = rosinality_state(generator())
    match change:
        case "missing":
            del state["convs.1.activate.bias"]
        case "unknown":
            state["convs.0.extra"] = torch.ones(1)
        case "shape":
            state["convs.1.activate.bias"] = torch.ones(3)
        case "filter":
            state["to_rgbs.0.upsample.kernel"] = torch.ones(4, 4)
        case "value":
            state["input.input"] = "text"
        case "integers":
            state["input.input"] = state["input.input"].long()
    return state


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("missing", "lacks tensor"),
        ("unknown", "unknown tensor 'G_ema: convs.0.extra'"),
        ("shape", "of shape 3, its settings say 24"),
        ("filter", "another filter"),
        ("value", "lacks tensor 'G_ema: input.input'"),
        ("integers", "of type torch.int64"),
    ],
)
def test_refuses_other_architectures(tmp_path: Path, change: str, told: str) -> None:
    path = tmp_path / "n.pt"
    torch.save({"g_ema": damaged_state(change)}, path)
    with pytest.raises(CheckpointError, match=r"^n\.pt: ") as caught:
        load_legacy(path)
    assert told in str(caught.value)


def rezipped(path: Path, method: int, **changes: bytes) -> None:
    """Write the zip again with some members changed; an empty one is left out."""
    with zipfile.ZipFile(path) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    for name, data in changes.items():
        key = next(key for key in members if key.endswith(name.replace("__", "/").replace("_pkl", ".pkl")))
        members[key] = data
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            if data:
                archive.writestr(name, data)
    path.write_bytes(buffer.getvalue())


@pytest.mark.parametrize(
    ("changes", "method", "told"),
    [
        ({"byteorder": b"big"}, zipfile.ZIP_STORED, "big-endian"),
        ({"data__0": b""}, zipfile.ZIP_STORED, "lacks the storage"),
        ({"data__0": b"short"}, zipfile.ZIP_STORED, "another size"),
        ({"data_pkl": b"\x80\x02N.N."}, zipfile.ZIP_STORED, "2 bytes after the end"),
        ({}, zipfile.ZIP_DEFLATED, "compressed member"),
    ],
    ids=["endian", "missing", "short", "trailing", "deflated"],
)
def test_refuses_forged_zips(tmp_path: Path, changes: dict[str, bytes], method: int, told: str) -> None:
    path = write_rosinality(tmp_path / "n.pt", {"g_ema": generator()})
    rezipped(path, method, **changes)
    with pytest.raises(CheckpointError, match=told):
        load_legacy(path)


def test_refuses_programs_and_data_sets(tmp_path: Path) -> None:
    program, data_set = tmp_path / "program.pt", tmp_path / "data.zip"
    for path, names in ((program, ("p/data.pkl", "p/constants.pkl")), (data_set, ("dataset.json",))):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"\x80\x02N.")
    with pytest.raises(CheckpointError, match="TorchScript"):
        load_legacy(program)
    with pytest.raises(CheckpointError, match="data set"):
        load_legacy(data_set)
