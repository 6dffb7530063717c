"""How a network file is described."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from bend.models.facts import describe, lines
from stylegan.checkpoint import DeltaBase, NetworkMeta, load_network, save_delta, save_network
from stylegan.checkpoint.fingerprint import fingerprint
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.legacy.writers import MODULE_SRC, discriminator, generator, write_official


def test_our_own(tmp_path: Path) -> None:
    G = generator(c_dim=3)
    meta = NetworkMeta(kimg=12.5, augment_p=0.25, base="faces64", licence="CC0-1.0")
    save_network(tmp_path / "a.safetensors", G_ema=G, D=discriminator(), meta=meta)
    facts = describe(str(tmp_path / "a.safetensors"))
    assert facts.format == "bend"
    assert facts.meta == meta
    assert facts.executed is None
    assert facts.networks["G_ema"]["weights_sha256"] == fingerprint(G)
    assert facts.networks["G_ema"]["parameters"] == sum(value.numel() for value in G.parameters())
    text = "\n".join(lines(facts))
    for words in (
        "16×16, 3 channels, skip, z 8, w 12, 2 mapping layers, labels of 3",
        "12.5 kimg",
        "0.250",
        "CC0",
    ):
        assert words in text
    assert "runs nothing" in text
    assert json.loads(json.dumps(facts.as_json()))["networks"]["D"]["init"]["architecture"] == "resnet"


def test_an_official_pickle(tmp_path: Path) -> None:
    facts = describe(str(write_official(tmp_path / "a.pkl", {"G_ema": generator(), "D": discriminator()})))
    assert facts.format == "official"
    assert facts.executed is not None
    text = "\n".join(lines(facts))
    assert "official PyTorch pickle" in text
    assert "torch.storage._load_from_bytes ×" in text
    assert f"run Python source of  {len(MODULE_SRC)} bytes" in text
    assert "here, none of it is run" in text
    assert not facts.executed.strange


def test_a_trap(tmp_path: Path) -> None:
    canary = tmp_path / "canary"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch '{canary}'",)

    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"G": Trap()}))
    facts = describe(str(tmp_path / "a.pkl"))
    assert "wants the global" in facts.refusal
    text = "\n".join(lines(facts))
    assert "a.pkl: refused" in text
    assert f"no StyleGAN2 file needs  {os.system.__module__}.system: do not open it elsewhere" in text
    assert not canary.exists()


def test_a_delta_needs_no_base_to_be_described(tmp_path: Path) -> None:
    save_network(tmp_path / "base.safetensors", G_ema=generator(1))
    base = DeltaBase(network=load_network(tmp_path / "base.safetensors"), name="base.safetensors")
    save_delta(tmp_path / "a.safetensors", base=base, G_ema=generator(2))
    (tmp_path / "base.safetensors").unlink()
    facts = describe(str(tmp_path / "a.safetensors"))
    assert facts.format == "delta"
    assert facts.base == {"name": "base.safetensors", "weights_sha256": {"G_ema": fingerprint(generator(1))}}
    assert "needs its base  base.safetensors" in "\n".join(lines(facts))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such network"):
        describe(str(tmp_path / "gone.pkl"))
