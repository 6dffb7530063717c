"""What a process does once before it trains: native operations and an allocator that keeps its memory."""

from collections.abc import Callable

import torch

from stylegan.allocator import keep_freed_memory
from stylegan.ops import native

__all__ = ["prepare_training"]


def prepare_training(device: torch.device, say: Callable[[str], None] | None = None) -> None:
    """Make the process as fast as it can be for training on `device`; this does not change what is computed.

    Args:
        device: where the training runs.
        say: told in one line before native operations are compiled, which takes about half a minute, once.

    Raises:
        BuildError: `BEND_NATIVE=1`, and they cannot be built.
        ConfigError: `BEND_NATIVE` is something else.
    """
    native.prepare(device.type, say=say)
    if device.type == "cpu":
        keep_freed_memory()
