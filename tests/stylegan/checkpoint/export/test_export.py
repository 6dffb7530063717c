"""The ending of a name determines the format."""

import dataclasses
from pathlib import Path

import pytest
import torch

from stylegan.checkpoint import NetworkMeta, load_network
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


@pytest.mark.parametrize("name", ["a.safetensors", "a.pkl", "a.pt"])
def test_the_callers_default_device_is_no_matter(tmp_path: Path, good: Path, name: str) -> None:
    network = dataclasses.replace(load_network(good), D=None, meta=NetworkMeta(augment_p=0.5))
    export_network(tmp_path / name, network)
    expected = (tmp_path / name).read_bytes()
    with torch.device("meta"):
        export_network(tmp_path / name, network)
    assert (tmp_path / name).read_bytes() == expected


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["a.safetensors", "a.pkl", "a.pt"])
def test_networks_on_an_accelerator_make_the_same_file(tmp_path: Path, good: Path, name: str) -> None:
    network = load_network(good)
    export_network(tmp_path / name, network)
    expected = (tmp_path / name).read_bytes()
    for part in network.parts().values():
        part.to("cuda")
    export_network(tmp_path / name, network)
    assert (tmp_path / name).read_bytes() == expected


def test_ours_carries_everything(tmp_path: Path, good: Path) -> None:
    network = load_network(good)
    assert export_network(tmp_path / "a.safetensors", network) == []
    assert load_network(tmp_path / "a.safetensors").meta == network.meta


def test_an_unknown_ending(tmp_path: Path, good: Path) -> None:
    with pytest.raises(CheckpointError, match=r"a\.tflite: no format ends like this; .*\.safetensors, \.pkl"):
        export_network(tmp_path / "a.tflite", load_network(good))
    assert [path.name for path in written_files("x/a.onnx")] == ["a.mapping.onnx", "a.synthesis.onnx"]
