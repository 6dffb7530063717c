"""The safetensors file: what it calls itself, and what it is refused for. Writing is tested in `test_native.py`."""

from pathlib import Path

import pytest
import torch

from stylegan.checkpoint.container import open_container, peek_format, read_tensor, write_container
from stylegan.errors import CheckpointError


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_container(path, {"x": torch.tensor([0.5, -2.0], dtype=torch.float16)}, {"format": "b", "a": "1"})
    assert peek_format(path) == "b"
    with open_container(path) as file:
        assert torch.equal(read_tensor(path, file, "x"), torch.tensor([0.5, -2.0]))
        assert file.metadata() == {"format": "b", "a": "1"}


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_container(path, {"x": torch.tensor([torch.inf])}, {})
    with (
        open_container(path) as file,
        pytest.raises(CheckpointError, match="x has values that are not finite"),
    ):
        read_tensor(path, file, "x")


@pytest.mark.parametrize("data", [b"", b"\x80\x04.", b"\x02\x00\x00\x00\x00\x00\x00\x00{]"], ids=str)
def test_other_files(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    assert peek_format(path) == ""
    with pytest.raises(CheckpointError, match=r"^a\.safetensors: "):
        open_container(path)
