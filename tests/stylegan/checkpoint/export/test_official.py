"""Official-shaped pickles: exact when read back, and working networks where they are unpickled."""

import ast
import copy
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stylegan.checkpoint import Network, NetworkMeta, load_network
from stylegan.checkpoint.export import module_source
from stylegan.checkpoint.export.official import save_official
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.export.reconstructor import unpickle
from tests.stylegan.checkpoint.legacy.writers import discriminator, generator

LABELS = torch.eye(3)[[0, 2]]


def network(**parts: Any) -> Network:
    fields: dict[str, Any] = {
        "G": None,
        "D": None,
        "G_ema": None,
        "meta": NetworkMeta(augment_p=0.25),
    } | parts
    return Network(**fields, path=Path("x"))


def full(**changes: Any) -> Network:
    shape = {key: value for key, value in changes.items() if key in ("c_dim", "img_channels")}
    return network(G=generator(0, **changes), D=discriminator(1, **shape), G_ema=generator(2, **changes))


def assert_same_weights(a: Any, b: Any) -> None:
    ours, theirs = a.state_dict(), b.state_dict()
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        assert torch.equal(value, theirs[key]), key


SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "conditional": {"c_dim": 3},
    "grey": {"img_channels": 1},
    "half": {
        "synthesis_kwargs": {"channel_base": 256, "channel_max": 24, "num_fp16_res": 2, "conv_clamp": 256}
    },
    "resnet": {"synthesis_kwargs": {"channel_base": 256, "channel_max": 24, "architecture": "resnet"}},
    "matrix of taps": {
        "synthesis_kwargs": {"channel_base": 256, "channel_max": 24, "resample_filter": [[1, 2], [3, 4]]}
    },
}


@pytest.mark.parametrize("changes", SHAPES.values(), ids=SHAPES)
def test_a_round_trip_is_exact(tmp_path: Path, changes: dict[str, Any]) -> None:
    wrote = full(**changes)
    assert save_official(tmp_path / "a.pkl", wrote) == []
    read = load_network(tmp_path / "a.pkl")
    assert read.format == "official"
    assert read.meta.augment_p == 0.25
    for name in ("G", "D", "G_ema"):
        assert_same_weights(getattr(wrote, name), getattr(read, name))
    assert wrote.G_ema is not None
    assert read.G_ema is not None
    wanted = wrote.G_ema.init_kwargs["synthesis_kwargs"]
    assert read.G_ema.init_kwargs["synthesis_kwargs"].items() >= wanted.items()


@pytest.mark.parametrize("changes", SHAPES.values(), ids=SHAPES)
def test_unpickled_networks_work(tmp_path: Path, changes: dict[str, Any]) -> None:
    wrote = full(**changes)
    save_official(tmp_path / "a.pkl", wrote)
    root = unpickle(tmp_path / "a.pkl")
    assert set(root) == {"G", "D", "G_ema", "augment_pipe", "training_set_kwargs"}
    theirs, ours = root["G_ema"], wrote.G_ema
    assert ours is not None
    for name in ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "num_ws"):
        assert getattr(theirs, name) == getattr(ours, name)
    assert theirs.mapping.num_ws == theirs.synthesis.num_ws == ours.num_ws
    z = torch.from_numpy(np.random.RandomState(0).randn(2, ours.z_dim))
    c = LABELS if ours.c_dim else torch.zeros([2, 0])
    label = LABELS if ours.c_dim else None
    ws = theirs.mapping(z, c, truncation_psi=0.5, truncation_cutoff=3)
    torch.testing.assert_close(ws, ours.mapping(z, label, truncation_psi=0.5, truncation_cutoff=3))
    for mode in ("const", "none"):
        img = theirs(z, c, truncation_psi=0.7, noise_mode=mode, force_fp32=True)
        expected = ours(z, label, truncation_psi=0.7, noise_mode=mode)
        torch.testing.assert_close(img, expected, atol=1e-4, rtol=1e-4)
    assert not torch.equal(theirs.synthesis(ws), theirs.synthesis(ws))  # random noise
    assert wrote.D is not None
    torch.testing.assert_close(root["D"](img, c), wrote.D(img, label), atol=1e-3, rtol=1e-4)
    assert root["augment_pipe"].p == 0.25


def test_unpickled_networks_are_modules_to_build_on(tmp_path: Path) -> None:
    save_official(tmp_path / "a.pkl", full())
    root = unpickle(tmp_path / "a.pkl")
    G, D = copy.deepcopy(root["G"]).train().requires_grad_(True), root["D"]
    before = G.mapping.w_avg.clone()
    D(G(torch.randn(2, 8), None), None).sum().backward()
    assert all(parameter.grad is not None for name, parameter in G.named_parameters() if "b16.torgb" in name)
    assert not torch.equal(G.mapping.w_avg, before)
    assert "synthesis.b8.conv0.noise_const" in dict(G.named_buffers())
    assert G._init_kwargs.synthesis_kwargs.channel_base == 256  # settings have attributes, as tools expect
    rebuilt = type(G)(*G._init_args, **G._init_kwargs)
    rebuilt.load_state_dict(G.state_dict(), strict=True)
    with pytest.raises(ValueError, match="noise_mode"):
        G(torch.randn(2, 8), None, noise_mode="loud")
    with pytest.raises(NotImplementedError):
        root["augment_pipe"](torch.zeros(1, 3, 16, 16))


def test_what_is_missing_is_made_up_and_said(tmp_path: Path) -> None:
    wrote = network(G_ema=generator(2), meta=NetworkMeta(kimg=3))
    notes = save_official(tmp_path / "a.pkl", wrote)
    said = [note.split(":")[0] for note in notes]
    assert said == ["no G", "no discriminator", "an official file cannot carry kimg and licence"]
    root = unpickle(tmp_path / "a.pkl")
    assert root["augment_pipe"] is None
    assert_same_weights(root["G"], wrote.G_ema)
    assert root["D"](torch.zeros(1, 3, 16, 16), None).shape == (1, 1)
    with pytest.raises(CheckpointError, match="no generator"):
        save_official(tmp_path / "b.pkl", network(D=discriminator()))
    assert not (tmp_path / "b.pkl").exists()


def test_pictures_too_small_for_a_discriminator_go_without(tmp_path: Path) -> None:
    wrote = network(G_ema=generator(2, img_resolution=4))
    notes = save_official(tmp_path / "a.pkl", wrote)
    assert any(note.startswith("no discriminator: there is none for pictures of 4 pixels") for note in notes)
    assert unpickle(tmp_path / "a.pkl")["D"] is None
    read = load_network(tmp_path / "a.pkl")
    assert read.D is None
    assert_same_weights(read.G_ema, wrote.G_ema)


def test_the_same_network_makes_the_same_bytes(tmp_path: Path) -> None:
    sums = set()
    for name in ("a.pkl", "b.pkl"):
        save_official(tmp_path / name, network(G_ema=generator(2)))
        sums.add(zlib.crc32((tmp_path / name).read_bytes()))
    assert len(sums) == 1


def test_the_source_needs_nothing_but_torch() -> None:
    tree = ast.parse(Path(module_source.__file__).read_text())
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name).partition(".")[0]  # type: ignore[union-attr]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imported == {"math", "typing", "torch"}


@pytest.mark.slow
def test_a_process_that_knows_no_bend_draws_the_same_picture(tmp_path: Path) -> None:
    wrote = full()
    save_official(tmp_path / "a.pkl", wrote)
    script = """
import pickle, sys, types
import torch
class EasyDict(dict):
    def __getattr__(self, name):
        try: return self[name]
        except KeyError: raise AttributeError(name)
def reconstruct(meta):
    module = types.ModuleType("m"); exec(meta.module_src, module.__dict__)
    kind = module.__dict__[meta.class_name]; made = kind.__new__(kind); made.__setstate__(meta.state); return made
for name, member in (("torch_utils.persistence", ("_reconstruct_persistent_obj", reconstruct)),
                     ("dnnlib.util", ("EasyDict", EasyDict))):
    sys.modules[name.split(".")[0]] = types.ModuleType(name.split(".")[0])
    sys.modules[name] = types.ModuleType(name); setattr(sys.modules[name], *member)
G = pickle.load(open(sys.argv[1], "rb"))["G_ema"].eval()
assert not any(name.split(".")[0] in ("bend", "stylegan") for name in sys.modules)
print(float(G(torch.ones(1, 8), None, truncation_psi=0.7, noise_mode="const").sum()))
"""
    command = [sys.executable, "-c", script, str(tmp_path / "a.pkl")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert wrote.G_ema is not None
    expected = wrote.G_ema(torch.ones(1, 8), None, truncation_psi=0.7, noise_mode="const").sum()
    assert float(done.stdout) == pytest.approx(float(expected), rel=1e-3)
