"""From a name to a file: embedded names, files, run folders, RUN@KIMG."""

import os
from pathlib import Path

import pytest
import torch

from stylegan.checkpoint import (
    DeltaBase,
    find_network,
    list_snapshots,
    load,
    load_network,
    outline_network,
    save_delta,
    save_network,
)
from stylegan.checkpoint.export import export_network
from stylegan.checkpoint.load import EMBEDDED
from stylegan.errors import CheckpointError
from stylegan.run_names import snapshot_name
from tests.stylegan.checkpoint.legacy import writers


@pytest.fixture
def run(good: Path, tmp_path: Path) -> Path:
    """A run folder with snapshots at 0, 0.25, 1, 4 and 16 kimg, and what else lies there."""
    folder = tmp_path / "00003-rocks-faces64"
    folder.mkdir()
    for kimg in (16, 0, 1, 0.25, 4):
        (folder / snapshot_name(kimg)).write_bytes(good.read_bytes())
    for other in (
        "log.txt",
        "state-latest.pt",
        "snapshot-000099.safetensors",
        ".snapshot-000050.000.1.tmp.safetensors",
    ):
        (folder / other).write_text("other")
    return folder


def test_a_file(good: Path) -> None:
    assert find_network(good) == find_network(str(good)) == good


@pytest.mark.skipif(os.name != "posix", reason="HOME")
def test_a_tilde_is_the_users_home(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(run.parent))
    for text in (f"~/{run.name}", f"~/{run.name}@16", f"~/{run.name}/{snapshot_name(16)}"):
        assert find_network(text) == run / snapshot_name(16)
    for text in ("~nobody-by-this-name/x.pkl", "~/missing.pkl", "~"):
        with pytest.raises(CheckpointError):
            find_network(text)


def test_a_run_folder_is_its_last_snapshot(run: Path) -> None:
    assert find_network(run).name == "snapshot-000016.000.safetensors"
    assert load_network(run).path.name == "snapshot-000016.000.safetensors"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("0", 0),
        ("0.25", 0.25),
        (".25", 0.25),
        ("1", 1),
        ("4.0", 4),
        ("1.6e1", 16),
    ],
)
def test_a_moment_of_a_run_is_its_snapshot(run: Path, wanted: str, found: float) -> None:
    assert find_network(f"{run}@{wanted}").name == snapshot_name(found)


@pytest.mark.parametrize("kimg", ["3", "0.3", "17", "1e3"])
def test_a_moment_without_a_snapshot_is_not_another_one(run: Path, kimg: str) -> None:
    with pytest.raises(CheckpointError, match=r"no snapshot at that moment; this run has 0, 0\.25, .*16"):
        find_network(f"{run}@{kimg}")


@pytest.mark.parametrize("kimg", ["", "soon", "nan", "inf", "-1", "4kimg"])
def test_a_moment_is_a_number(run: Path, kimg: str) -> None:
    with pytest.raises(CheckpointError, match="is not a number of kimg; write RUN@4"):
        find_network(f"{run}@{kimg}")


def test_names_may_hold_an_at_sign(run: Path) -> None:
    moved = run.rename(run.with_name("00004-a@b"))
    assert find_network(moved).name == snapshot_name(16)
    assert find_network(f"{moved}@1").name == snapshot_name(1)
    file = (moved / snapshot_name(1)).rename(moved / "x@2.safetensors")
    assert find_network(file) == file


def test_snapshots_are_listed_by_kimg(run: Path) -> None:
    assert [kimg for kimg, _ in list_snapshots(run)] == [0, 0.25, 1, 4, 16]
    assert all(path.parent == run for _, path in list_snapshots(run))


def test_a_folder_without_snapshots(tmp_path: Path) -> None:
    for name in (tmp_path, f"{tmp_path}@4"):
        with pytest.raises(CheckpointError, match="no snapshots in this folder"):
            find_network(name)


@pytest.mark.parametrize("name", ["", "trees", "no/such/file.safetensors", "no@4", "@4", "a\0b"])
def test_nothing_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        CheckpointError, match=r"no such network; pass a file, a run folder, RUN@KIMG, or a name \(faces64"
    ):
        find_network(name)


@pytest.mark.parametrize(("name", "meant"), [("faces46", "faces64"), ("ffhq255", "ffhq256")])
def test_the_nearest_name_is_told(name: str, meant: str) -> None:
    with pytest.raises(
        CheckpointError, match=f"{name}: no such network, the nearest is {meant}; pass a file"
    ):
        find_network(name)


def test_a_name_too_long_for_a_file() -> None:
    with pytest.raises(CheckpointError, match="cannot be read") as caught:
        find_network("x" * 10_000)
    assert len(str(caught.value)) < 400


@pytest.mark.skipif(os.name != "posix", reason="a pipe")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="no such network"):
        find_network(tmp_path / "pipe")


def test_a_folder_that_may_not_be_listed(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    for name in (run, f"{run}@4"):
        with pytest.raises(
            CheckpointError, match=r"cannot be read \(Permission denied\); check its name and rights"
        ):
            find_network(name)


def test_a_file_that_may_not_be_read(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *args: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CheckpointError, match=r"cannot be read \(Permission denied\)"):
        load_network(good)


def outlined(path: Path) -> None:
    whole, outline = load_network(path), outline_network(path)
    assert (outline.format, outline.meta, outline.path) == (whole.format, whole.meta, path)
    for part in ("G", "D", "G_ema"):
        expected, found = getattr(whole, part), getattr(outline, part)
        assert (found is None) == (expected is None)
        if expected is not None:
            shapes = {key: value.shape for key, value in expected.state_dict().items()}
            assert {key: value.shape for key, value in found.state_dict().items()} == shapes
            assert all(value.is_meta for value in found.parameters())
            assert found.init_kwargs == expected.init_kwargs


def test_an_outline_is_the_network_without_its_weights(good: Path, tmp_path: Path) -> None:
    G, D = writers.generator(), writers.discriminator()
    outlined(good)
    outlined(writers.write_official(tmp_path / "a.pkl", {"G_ema": G, "D": D}, p=0.5))
    outlined(writers.write_tensorflow(tmp_path / "b.pkl", (G, D, G)))
    outlined(writers.write_rosinality(tmp_path / "c.pt", {"g_ema": G, "d": D}))


@pytest.mark.parametrize("name", ["a.safetensors", "a.pkl", "a.pt", "training.pt", "delta.safetensors"])
def test_the_callers_defaults_and_inference_mode_do_not_reach_what_is_read(
    good: Path, tmp_path: Path, name: str
) -> None:
    net = load_network(good)
    if name == "training.pt":
        torch.save({"g_ema": writers.rosinality_state(net.generator())}, tmp_path / name)
    elif name == "delta.safetensors":
        save_network(tmp_path / "base", G=net.G)
        base = DeltaBase(network=load_network(tmp_path / "base"), name="base")
        save_delta(tmp_path / name, base=base, G=net.G, D=net.D)
    else:
        export_network(tmp_path / name, net)
    usual = load_network(tmp_path / name)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode(), torch.device("meta"):
            read = load_network(tmp_path / name)
    finally:
        torch.set_default_dtype(torch.float32)
    for part, expected in zip(read.parts().values(), usual.parts().values(), strict=True):
        for key, value in part.state_dict().items():
            assert value.dtype == torch.float32
            assert not value.is_inference()
            assert torch.equal(value, expected.state_dict()[key])


def test_a_missing_embedded_network_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(load.EMBEDDED, "faces64", tmp_path / "gone.safetensors")
    with pytest.raises(
        CheckpointError, match="faces64: the embedded network is missing from this installation"
    ):
        load_network("faces64")


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_embedded_networks_draw(name: str) -> None:
    if not EMBEDDED[name].exists():
        pytest.skip(f"{name} is not in this working tree")
    assert EMBEDDED[name].stat().st_size < 12 * 2**20
    net = load_network(name)
    assert net.D is not None
    G = net.generator()
    assert G.img_resolution == int(name.removeprefix("faces"))
    image = G(torch.randn(4, G.z_dim, generator=torch.Generator().manual_seed(0)), noise_mode="const")
    assert image.std() > 0.1
    assert (image[0] - image[1]).abs().mean() > 0.05
