"""What a process does before it draws: native operations loaded, or compiled where the work ahead is long.

A cached build is loaded at the first picture whatever the work (`stylegan.ops.native`). Compiling one takes half a
minute, so that it is left alone until plain drawing would take about as long: a few pictures, or a short film of a
small network, are there sooner without. It comes before the first picture, never between two, so that the pictures of a
work are drawn alike; only a live session, whose pictures nobody compares, does not wait for it.
Where nobody says here how many pictures there will be, `stylegan.inference.readiness` decides at the first heavy one.
"""

import threading
from collections.abc import Callable

from bend.latents import device_of
from bend.progress import tell
from stylegan.generator import Generator
from stylegan.inference.readiness import plain_seconds
from stylegan.ops import native

__all__ = ["prepare_drawing", "prepare_meanwhile"]

_LONG_S = 20


def prepare_drawing(G: Generator, num_pictures: int, say: Callable[[str], None] = tell) -> None:
    """Compile native operations if that pays; pictures stay the same but for rounding.

    Args:
        G: what will draw.
        num_pictures: how many.
        say: told in one line before a compilation starts.

    Raises:
        BuildError: `BEND_NATIVE=1`, and they cannot be built.
        ConfigError: `BEND_NATIVE` is something else.
    """
    device = device_of(G).type
    if device != "cpu":
        return
    if num_pictures * plain_seconds(G.synthesis.blocks()) > _LONG_S:
        native.prepare(device, say=say)
    else:
        native.settle(device)


def prepare_meanwhile(G: Generator) -> None:
    """Compile native operations in the background, if there are none yet; until they are done, plain ones draw.

    Raises:
        BuildError: `BEND_NATIVE=1`, and they cannot be built.
        ConfigError: `BEND_NATIVE` is something else.
    """
    device = device_of(G).type
    if device == "cpu" and native.may_build(device):
        native.settle(device)
        threading.Thread(target=native.prepare, args=(device,), kwargs={"say": tell}, daemon=True).start()
