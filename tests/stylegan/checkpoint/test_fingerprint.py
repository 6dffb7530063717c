"""Fingerprints are of the weights, whatever file they come from."""

from pathlib import Path

import torch

from stylegan.checkpoint import load_network, save_network
from stylegan.checkpoint.fingerprint import fingerprint, fingerprints
from tests.stylegan.checkpoint.crafted import tiny_discriminator, tiny_generator
from tests.stylegan.checkpoint.legacy.writers import write_official


def test_the_same_in_every_format(tmp_path: Path) -> None:
    G, D = tiny_generator(0), tiny_discriminator(1)
    save_network(tmp_path / "a.safetensors", G_ema=G, D=D)
    write_official(tmp_path / "a.pkl", {"G_ema": G, "D": D})
    ours = fingerprints(load_network(tmp_path / "a.safetensors"))
    assert ours == fingerprints(load_network(tmp_path / "a.pkl"))
    assert ours == {"G_ema": fingerprint(G), "D": fingerprint(D)}


def test_one_bit_makes_another() -> None:
    G = tiny_generator(0)
    before = fingerprint(G)
    with torch.no_grad():
        value = G.mapping.fc0.bias[0].item()
        G.mapping.fc0.bias[0] = torch.nextafter(torch.tensor(value), torch.tensor(9.0))
    assert fingerprint(G) != before
    assert len(before) == 64
