"""What a process does before it draws: native operations loaded, or compiled where the work ahead is long.

A cached build is loaded at the first picture whatever the work (`stylegan.ops.native`). Compiling one takes half a
minute, so that it is left alone until plain drawing would take minutes: a few pictures, or a short film of a small
network, are there sooner without. It comes before the first picture, never between two: all are drawn alike.
"""

import sys
from collections.abc import Callable

from tqdm import tqdm

from bend.latents import device_of
from stylegan.generator import Generator
from stylegan.ops import native

__all__ = ["make_ready", "plain_seconds"]

_PLAIN_MACS_PER_S = 40e9  # multiply-adds that plain drawing makes on two cores
_LONG_S = 90


def make_ready(G: Generator, num_pictures: int, say: Callable[[str], None] | None = None) -> None:
    """Compile native operations if that pays; nothing here changes what is drawn but by rounding.

    Args:
        G: what will draw.
        num_pictures: how many.
        say: told in one line before a compilation starts; stderr if None.

    Raises:
        BuildError: `BEND_NATIVE=1`, and they cannot be built.
        ConfigError: `BEND_NATIVE` is something else.
    """
    if device_of(G).type == "cpu" and num_pictures * plain_seconds(G) > _LONG_S:
        native.prepare("cpu", say=say or _say)


def plain_seconds(G: Generator) -> float:
    """About how long two cores take for one picture with plain operations."""
    macs = 0.0
    for block in G.synthesis.blocks():
        for name, share in (
            ("conv0", 1 / 4),
            ("conv1", 1),
        ):  # an upsampling kernel runs at the lower resolution
            if layer := getattr(block, name, None):
                macs += layer.weight.numel() * block.resolution**2 * share
    return macs / _PLAIN_MACS_PER_S


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
