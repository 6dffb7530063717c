"""Devices by name, and what memory they say they have."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stylegan.device import allows_tf32, choose_device, free_bytes
from stylegan.errors import ConfigError


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("cpu:0") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    for name in ("tpu", "cuda:99", "meta", "", "cuda:x"):
        with pytest.raises(ConfigError, match=f"--device {name}: "):
            choose_device(name)


def test_free_memory_counts_what_the_cache_would_give_back(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "MemTotal:       16303428 kB\nMemFree:          201320 kB\nMemAvailable:    9120400 kB\n"
    monkeypatch.setattr(Path, "read_text", lambda path: {"/proc/meminfo": told}[str(path)])
    assert free_bytes(torch.device("cpu")) == 9120400 * 1024


def test_free_memory_is_told_where_the_system_has_no_such_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(path: Path) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", absent)
    assert free_bytes(torch.device("cpu")) > 0
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert free_bytes(torch.device("cpu")) == 4 << 30


def test_whether_tf32_is_allowed_is_told_as_torch_has_it() -> None:
    assert allows_tf32() == (True, False)


@pytest.mark.slow
def test_whether_tf32_is_allowed_is_told_however_it_was_set() -> None:
    code = """if True:
        import torch
        from stylegan.device import allows_tf32
        torch.backends.cudnn.allow_tf32 = False
        assert allows_tf32() == (False, False)
        torch.backends.cuda.matmul.fp32_precision = "tf32"
        assert allows_tf32() == (False, True)
        torch.backends.cudnn.conv.fp32_precision = "tf32"
        assert allows_tf32() == (True, True)
        torch.backends.cudnn.conv.fp32_precision = "ieee"
        assert allows_tf32() == (False, True)
    """
    subprocess.run([sys.executable, "-c", code], check=True)
