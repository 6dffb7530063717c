"""What torch writes is whole, or the system says why not."""

import errno
from pathlib import Path

import pytest
import torch

from stylegan.torch_save import save_torch


def test_torch_reads_it_back(tmp_path: Path) -> None:
    save_torch({"a": torch.arange(5)}, tmp_path / "a.pt")
    assert torch.load(tmp_path / "a.pt", weights_only=True)["a"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
@pytest.mark.parametrize("num_values", [1, 3000, 100_000])
def test_a_full_disk_is_the_systems_error(num_values: int) -> None:
    with pytest.raises(OSError, match="No space left on device") as caught:
        save_torch([torch.zeros(num_values), torch.zeros(num_values)], Path("/dev/full"))
    assert caught.value.errno == errno.ENOSPC


def test_what_torch_itself_refuses_stays_its_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="meta"):
        save_torch(torch.zeros(2, device="meta").untyped_storage(), tmp_path / "a.pt")
