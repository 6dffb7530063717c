"""Compiles the native operations before drawing, if enough pictures are to come.

A cached build is always loaded at the first picture (`stylegan.ops.native`). Compiling takes half a minute, and is done
only if drawing without would take about as long: a few pictures, or a short film of a small network, are ready sooner
without. It happens before the first picture and never between two, so that all are drawn in the same way; only a live
session, whose pictures nobody compares, does not wait for it. If the number of pictures is not known in advance,
`stylegan.inference.readiness` decides at the first large one.
"""

import threading

from bend.latents import device_of
from bend.progress import tell
from stylegan.generator import Generator
from stylegan.inference.readiness import plain_seconds
from stylegan.ops import native

__all__ = ["prepare_drawing", "prepare_meanwhile"]

_LONG_S = 20


def prepare_drawing(G: Generator, num_pictures: int) -> None:
    """Compile native operations if that pays; pictures stay the same but for rounding.

    Args:
        G: what will draw.
        num_pictures: how many.

    Raises:
        BuildError: `BEND_NATIVE=1`, and they cannot be built.
        ConfigError: `BEND_NATIVE` is something else.
    """
    device = device_of(G).type
    if device != "cpu":
        return
    if num_pictures * plain_seconds(G.synthesis.blocks()) > _LONG_S:
        native.prepare(device, say=tell)
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
