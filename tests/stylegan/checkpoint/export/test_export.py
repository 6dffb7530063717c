"""The ending of a name says the format."""

from pathlib import Path

import pytest
import torch

from stylegan.checkpoint import load_network
from stylegan.checkpoint.export import export_network, written_files
from stylegan.errors import CheckpointError


@pytest.mark.parametrize(
    ("name", "found"), [("a.safetensors", "bend"), ("a.pkl", "official"), ("a.PT", "rosinality")]
)
def test_formats_by_ending(tmp_path: Path, good: Path, name: str, found: str) -> None:
    network = load_network(good)
    export_network(tmp_path / name, network)
    assert written_files(tmp_path / name) == (tmp_path / name,)
    read = load_network(tmp_path / name)
    assert read.format == found
    for key, value in network.generator().state_dict().items():
        assert torch.equal(read.generator().state_dict()[key], value), key


def test_ours_carries_everything(tmp_path: Path, good: Path) -> None:
    network = load_network(good)
    assert export_network(tmp_path / "a.safetensors", network) == []
    assert load_network(tmp_path / "a.safetensors").meta == network.meta


def test_an_unknown_ending(tmp_path: Path, good: Path) -> None:
    with pytest.raises(CheckpointError, match=r"a\.tflite: no format ends like this; .*\.safetensors, \.pkl"):
        export_network(tmp_path / "a.tflite", load_network(good))
    assert [path.name for path in written_files("x/a.onnx")] == ["a.mapping.onnx", "a.synthesis.onnx"]
