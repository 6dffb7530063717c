"""Networks of other kinds are recognised and named from nothing but their keys."""

from pathlib import Path
from typing import Any

import pytest
import torch

from stylegan.checkpoint.legacy import load_legacy
from stylegan.checkpoint.legacy.strangers import describe_stranger, hint_of
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.legacy.writers import generator


def weights(*keys: str) -> dict[str, Any]:
    return {key: torch.zeros(1) for key in keys}


@pytest.mark.parametrize(
    ("root", "told"),
    [
        ({"state_dict": weights("model.diffusion_model.out.0.weight")}, "Stable Diffusion"),
        ({"params_ema": weights("stylegan_decoder.final.weight")}, "GFPGAN"),
        ({"GAN": weights("GE.S.net.0.weight"), "version": "1.8"}, "lucidrains"),
        ({"state_dict": weights("encoder.0.weight", "decoder.convs.0.noise.weight")}, "rosinality generator"),
        (weights("g_synthesis.blocks.4x4.const"), "StyleGAN1"),
        ({"G_ema": weights("synthesis.input.freqs")}, "StyleGAN3 state dict"),
        ({"G_ema": weights("synthesis.b4.const")}, "a state dict without its settings"),
        ({"weight": torch.zeros(1)}, "a PyTorch file without a StyleGAN2 network known here"),
        ([1, 2], "a PyTorch file without a StyleGAN2 network known here"),
    ],
)
def test_other_networks_are_told_by_their_keys(tmp_path: Path, root: Any, told: str) -> None:
    torch.save(root, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match=r"^other\.pt: .*pass an official or rosinality") as caught:
        load_legacy(tmp_path / "other.pt")
    assert told in str(caught.value)


def test_a_dictionary_of_itself_is_looked_at_once() -> None:
    root: dict[str, object] = {"a": 1}
    root["again"] = root
    assert describe_stranger(root) == ""
    wide: dict[str, object] = {f"{n}": {} for n in range(2000)}
    assert describe_stranger({f"{n}": wide.copy() for n in range(2000)}) == ""


def test_a_pickled_module_of_ours_is_told_how_to_be_written(tmp_path: Path) -> None:
    torch.save(generator(), tmp_path / "mine.pt")
    with pytest.raises(
        CheckpointError, match=r"Generator' \(a network of ours .*; write it with .*save_network\)"
    ):
        load_legacy(tmp_path / "mine.pt")


def test_hints_go_by_whole_names_of_modules() -> None:
    assert hint_of("timm.models") == " (a StyleGAN-XL or projected-GAN network?)"
    assert hint_of("timmy") == hint_of("os") == ""
