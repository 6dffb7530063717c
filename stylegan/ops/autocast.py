"""What `torch.autocast` is asked before a computation that must keep its dtype."""

import contextlib
from contextlib import AbstractContextManager

import torch

__all__ = ["is_autocast", "without_autocast"]


def is_autocast(device_type: str) -> bool:
    """Whether operations on a kind of device choose their dtype themselves; asked of any device, also `meta`."""
    return torch.amp.is_autocast_available(device_type) and torch.is_autocast_enabled(device_type)


def without_autocast(device_type: str) -> AbstractContextManager[object]:
    """A context in which they keep that of their operands."""
    return (
        torch.autocast(device_type, enabled=False) if is_autocast(device_type) else contextlib.nullcontext()
    )
