"""Files of latents: what is read, what is refused, and that a row draws the same picture as the seed it came from."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bend import latents
from bend.config import RenderConfig
from bend.errors import SettingsError
from bend.latent_file import read_latents, write_latents
from tests.bend.tiny import tiny_generator

ROWS = np.random.RandomState(0).randn(3, 32)


@pytest.mark.parametrize(
    ("arrays", "kind", "shape"),
    [
        ({"w": ROWS}, "w", (3, 32)),
        ({"w": ROWS[0]}, "w", (1, 32)),
        ({"w": np.zeros([1, 6, 32])}, "ws", (1, 6, 32)),
        ({"ws": np.zeros([2, 6, 32], np.float32)}, "ws", (2, 6, 32)),
        ({"ws": np.zeros([6, 32])}, "ws", (1, 6, 32)),
        ({"z": ROWS, "note": np.array("text")}, "z", (3, 32)),
    ],
)
def test_kinds(tmp_path: Path, arrays: dict[str, Any], kind: str, shape: tuple[int, ...]) -> None:
    path = tmp_path / "a.npz"
    write_latents(path, **arrays)
    stored = read_latents(path)
    assert (stored.kind, stored.rows.shape, stored.times) == (kind, shape, None)
    assert stored.rows.dtype == np.float64


def test_files_written_twice_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        write_latents(tmp_path / name, w=ROWS, times=np.arange(3))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz") as file:
        np.testing.assert_array_equal(file["w"], ROWS)
        np.testing.assert_array_equal(file["times"], [0, 1, 2])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": ROWS}, "holds x, but none of w, ws, z"),
        ({"w": np.array("text")}, "not numbers"),
        ({"w": np.full([2, 32], np.nan)}, "not finite"),
        ({"w": np.zeros([2, 3, 4, 5])}, r"w has shape \[2, 3, 4, 5\]"),
        ({"w": np.zeros([0, 32])}, "w has shape"),
        ({"w": np.zeros([0, 10, 32])}, r"w has shape \[0, 10, 32\]"),
        ({"w": ROWS, "times": np.arange(2)}, "there are 3 latents"),
        ({"w": ROWS, "times": np.array([0, 2, 1])}, "times must rise"),
    ],
)
def test_refusals(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    path = tmp_path / "a.npz"
    write_latents(path, **arrays)
    with pytest.raises(SettingsError, match=message):
        read_latents(path)


def test_what_is_no_npz_is_refused_and_nothing_is_unpickled(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        read_latents(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("text")
    with pytest.raises(SettingsError, match=r"text\.npz: a text file, not latents; give a file of"):
        read_latents(tmp_path / "text.npz")
    for kind in ("png", "bmp"):
        Image.new("RGB", (4, 4)).save(tmp_path / f"picture.{kind}")
        with pytest.raises(SettingsError, match=f": a {kind.upper()} picture, not latents; give a file of"):
            read_latents(tmp_path / f"picture.{kind}")
    np.save(tmp_path / "one.npy", ROWS)
    with pytest.raises(SettingsError, match="a single array"):
        read_latents(tmp_path / "one.npy")
    np.savez(tmp_path / "evil.npz", w=np.array([{"a": 1}], dtype=object))
    with pytest.raises(SettingsError, match="cannot be read"):
        read_latents(tmp_path / "evil.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_file_is_refused(tmp_path: Path, method: int) -> None:
    np.savez(tmp_path / "plain.npz", w=ROWS)
    with (
        zipfile.ZipFile(tmp_path / "plain.npz") as plain,
        zipfile.ZipFile(tmp_path / "a.npz", "w", method) as packed,
    ):
        packed.writestr("w.npy", plain.read("w.npy"))
    whole = (tmp_path / "a.npz").read_bytes()
    for damaged in (whole[:45] + b"\xff" * 20 + whole[65:], whole[:45] + bytes(20) + whole[65:]):
        (tmp_path / "a.npz").write_bytes(damaged)
        with pytest.raises(SettingsError, match="cannot be read"):
            read_latents(tmp_path / "a.npz")


@pytest.mark.parametrize(("place", "value"), [(8, 1), (10, 97)], ids=["encrypted", "unknown method"])
def test_a_file_packed_in_another_way_is_refused(tmp_path: Path, place: int, value: int) -> None:
    np.savez(tmp_path / "a.npz", w=ROWS)
    data = bytearray((tmp_path / "a.npz").read_bytes())
    data[data.rindex(b"PK\1\2") + place] = value
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_latents(tmp_path / "a.npz")


def test_a_small_file_that_unpacks_to_more_than_latents_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bend.latent_file._MOST_BYTES", 1 << 20)
    np.savez_compressed(tmp_path / "bomb.npz", w=np.zeros([1024, 512], np.float32))
    with pytest.raises(SettingsError, match="more than 1 MB of arrays"):
        read_latents(tmp_path / "bomb.npz")


def test_rows_of_files_stand_for_seeds(tmp_path: Path) -> None:
    G = tiny_generator()
    wanted = latents.ws_from_seeds(G, RenderConfig(trunc=0.5, trunc_cutoff=2), [3, 5, 8])
    z = latents.z_from_seeds([3, 5, 8], 32)
    write_latents(tmp_path / "z.npz", z=z[:1])
    write_latents(tmp_path / "w.npz", w=latents.w_from_z(G, z[1:2]).numpy())
    write_latents(tmp_path / "ws.npz", ws=latents.ws_from_z(G, z[2:]).numpy())
    files = tuple(str(tmp_path / f"{name}.npz") for name in ("z", "w", "ws"))
    config = RenderConfig(trunc=0.5, trunc_cutoff=2, latents=files)
    assert latents.usual_seeds(config, 8) == range(3)
    torch.testing.assert_close(latents.ws_from_seeds(G, config, [0, 1, 2]), wanted)
    torch.testing.assert_close(latents.ws_from_seeds(G, config, [2, 0]), wanted[[2, 0]])
    with pytest.raises(SettingsError, match="--latents holds 3 latents; choose 0 to 2"):
        latents.ws_from_seeds(G, config, [3])


def test_latents_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for wrong in ({"w": np.zeros([1, 31])}, {"ws": np.zeros([1, 5, 32])}, {"z": np.zeros([1, 8])}):
        write_latents(path, **wrong)
        with pytest.raises(SettingsError, match="this network wants"):
            latents.ws_from_seeds(tiny_generator(), RenderConfig(latents=(str(path),)), [0])
