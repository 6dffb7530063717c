"""Compiling native operations at the first heavy use, for programs that only call a `Generator`.

Compiling takes about half a minute, once on each machine; plain drawing takes that long for a hundred pictures of 256
pixels. So a heavy call compiles before it draws, and so does a light one once many of them have added up. On CUDA,
where hardly anybody draws a single picture, the first call does. A program that knows its work beforehand decides for
itself (`native.prepare` or `native.settle`), as the command line does.
"""

from typing import Any

from torch import Tensor

from stylegan.inference.serving import may_serve
from stylegan.ops import native

__all__ = ["plain_seconds", "prepare_if_heavy"]

_PLAIN_MACS_PER_S = 40e9  # multiply-adds that plain drawing makes on two cores
_HEAVY_S = 0.2
_LONG_S = 15.0
_drawn_s = 0.0  # by plain drawing so far


def prepare_if_heavy(blocks: list[Any], ws: Tensor) -> None:
    """Compile native operations if this drawing makes that worth it and nothing is decided yet; once a process.

    Args:
        blocks: of a synthesis network, which is about to draw.
        ws: `[N, num_ws, w_dim]`.

    Raises:
        ConfigError: `BEND_NATIVE` is not one of its values.
    """
    global _drawn_s  # noqa: PLW0603 - light calls add up over a process
    kind = ws.device.type
    if not may_serve(ws) or not native.may_build(kind) or (kind == "cpu" and not native.has_wide_vectors()):
        return
    if kind == "cuda":
        native.prepare(kind, say=native.tell)
        return
    seconds = len(ws) * plain_seconds(blocks)
    _drawn_s += seconds
    if seconds > _HEAVY_S or _drawn_s > _LONG_S:
        native.prepare("cpu", say=native.tell)


def plain_seconds(blocks: list[Any]) -> float:
    """About how long two cores take for one picture with plain operations."""
    macs = 0.0
    for block in blocks:
        # An upsampling kernel runs at the lower resolution.
        for name, share in (("conv0", 1 / 4), ("conv1", 1)):
            if layer := getattr(block, name, None):
                macs += layer.weight.numel() * block.resolution**2 * share
    return macs / _PLAIN_MACS_PER_S
