"""Rosinality's files: exact when read back, under that project's names, and honest about what is lost."""

from pathlib import Path
from typing import Any

import pytest
import torch

from stylegan.checkpoint import Network, NetworkMeta, load_network
from stylegan.checkpoint.export.rosinality import save_rosinality
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.legacy.writers import SYNTHESIS, discriminator, generator, rosinality_state


def network(meta: NetworkMeta | None = None, **parts: Any) -> Network:
    fields: dict[str, Any] = {"G": None, "D": None, "G_ema": None} | parts
    return Network(**fields, meta=meta or NetworkMeta(), path=Path("x"))


def test_a_round_trip_is_exact(tmp_path: Path) -> None:
    wrote = network(
        NetworkMeta(augment_p=0.5), G=generator(0, w_dim=8), D=discriminator(1), G_ema=generator(2, w_dim=8)
    )
    notes = save_rosinality(tmp_path / "a.pt", wrote)
    assert any("one average of w" in note for note in notes)
    read = load_network(tmp_path / "a.pt")
    assert read.format == "rosinality"
    assert read.meta.augment_p == 0.5
    for name in ("G", "D", "G_ema"):
        theirs = getattr(read, name).state_dict()
        for key, value in getattr(wrote, name).state_dict().items():
            if (name, key) != ("G", "mapping.w_avg"):
                assert torch.equal(value, theirs[key]), key


def test_names_and_shapes_are_that_projects(tmp_path: Path) -> None:
    G, D = generator(0, w_dim=8), discriminator(1)
    save_rosinality(tmp_path / "a.pt", network(G_ema=G, D=D))
    root = torch.load(tmp_path / "a.pt", weights_only=True)
    assert set(root) == {"g_ema", "d", "latent_avg"}
    for key, part in (("g_ema", G), ("d", D)):
        expected = rosinality_state(part)
        assert set(root[key]) == set(expected)
        for name, value in expected.items():
            assert torch.equal(root[key][name], value), name
    assert torch.equal(root["latent_avg"], G.mapping.w_avg)


def test_what_is_lost_is_said(tmp_path: Path) -> None:
    settings = SYNTHESIS | {"num_fp16_res": 2, "conv_clamp": 256}
    wrote = network(NetworkMeta(kimg=3), G_ema=generator(0, w_dim=8, synthesis_kwargs=settings))
    notes = save_rosinality(tmp_path / "a.pt", wrote)
    text = "\n".join(notes)
    for word in ("half precision", "clamp", "kimg", "channel"):
        assert word in text
    assert all("\n" not in note for note in notes)


UNKNOWN: dict[str, dict[str, Any]] = {
    "labels": {"c_dim": 3},
    "1 channels": {"img_channels": 1},
    "architecture resnet": {"synthesis_kwargs": SYNTHESIS | {"architecture": "resnet"}},
    "activation relu": {"synthesis_kwargs": SYNTHESIS | {"activation": "relu"}},
    "use_noise False": {"synthesis_kwargs": SYNTHESIS | {"use_noise": False}},
    "another resampling filter": {"synthesis_kwargs": SYNTHESIS | {"resample_filter": [1, 1]}},
    "layers of several widths": {"w_dim": 12},
}


@pytest.mark.parametrize(("what", "changes"), UNKNOWN.items(), ids=UNKNOWN)
def test_other_architectures_are_refused(tmp_path: Path, what: str, changes: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=f"has no network with {what}"):
        save_rosinality(tmp_path / "a.pt", network(G_ema=generator(0, **({"w_dim": 8} | changes))))
    assert not (tmp_path / "a.pt").exists()


def test_discriminators_too(tmp_path: Path) -> None:
    D = discriminator(1, architecture="orig")
    with pytest.raises(CheckpointError, match="architecture orig"):
        save_rosinality(tmp_path / "a.pt", network(G_ema=generator(0, w_dim=8), D=D))


def test_a_file_that_cannot_grow_is_said_by_its_name(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            save_rosinality(tmp_path / "a.pt", network(G_ema=generator(0, w_dim=8)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.filename == str(tmp_path / "a.pt")
    assert not list(tmp_path.iterdir())
