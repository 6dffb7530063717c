"""The device that a name stands for, and how much of its memory is free."""

import contextlib
import os
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stylegan.errors import ConfigError

__all__ = ["allows_tf32", "choose_device", "free_bytes", "send"]

_UNKNOWN_FREE_BYTES = 4 << 30


def choose_device(name: str) -> torch.device:
    """The device called `name`; `auto` is CUDA, else MPS, else the CPU.

    Raises:
        ConfigError: unknown, or not on this machine.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return _own_cuda_device()
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"--device {name}: unknown; choose from auto, cpu, cuda, cuda:N, mps") from None
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(device.type, False):
        raise ConfigError(f"--device {name}: not on this machine; use --device auto")
    if device.type != "cuda":
        return torch.device(device.type)
    if name == "cuda":
        return _own_cuda_device()
    if device.index >= torch.cuda.device_count():
        raise ConfigError(f"--device {name}: this machine has {torch.cuda.device_count()} CUDA devices")
    return device


def allows_tf32() -> tuple[bool, bool]:
    """Whether float32 may be TensorFloat-32 on CUDA: in convolutions, and in products of matrices.

    torch raises for its old way of asking once somebody has used its new way of setting it.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    return _is_tf32(cudnn, "conv"), _is_tf32(matmul)


def send(x: Tensor, device: torch.device) -> Tensor:
    """A CPU tensor copied to a device, without waiting for a GPU that is busy."""
    if device.type != "cuda" or x.device.type != "cpu":
        return x.to(device)
    return x.pin_memory().to(device, non_blocking=True)


def free_bytes(device: torch.device) -> int:
    """Bytes that can be allocated on `device`; a fixed guess where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    with contextlib.suppress(OSError):
        # What the page cache would give back is free too; sysconf's count of free pages leaves it out.
        if match := re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE):
            return int(match[1]) * 1024
    if hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return _UNKNOWN_FREE_BYTES


def _is_tf32(backend: Any, operation: str = "") -> bool:
    try:
        return bool(backend.allow_tf32)
    except RuntimeError:
        told = getattr(backend, operation) if operation else backend
        return bool(told.fp32_precision == "tf32")


def _own_cuda_device() -> torch.device:
    """The current GPU, or this process's own where torchrun started several."""
    if "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    return torch.device("cuda")
