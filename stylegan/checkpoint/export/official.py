"""Export as an official-shaped `.pkl`: what the official tools, and the many built on them, unpickle.

Each module is written as `_reconstruct_persistent_obj` takes it: class name, attributes, and the source text of the
class, which those tools run. That text is `module_source`, our own. They want G, D and G_ema: an absent generator
becomes a copy of the other one, an absent discriminator one with random weights, where there can be one, and the notes
say so.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stylegan.atomic import atomic_path
from stylegan.checkpoint.export import module_source
from stylegan.checkpoint.export.pickle_writer import Call, Global, New, Ordered, write_pickle
from stylegan.checkpoint.export.plain import plain_copy
from stylegan.checkpoint.native import Network
from stylegan.discriminator import LEAST_RESOLUTION
from stylegan.generator import Generator
from stylegan.opponent import fresh_discriminator

__all__ = ["save_official"]

_VERSION = 6  # of the official description of a module
_EASY_DICT = Global("dnnlib.util", "EasyDict")
_RECONSTRUCT = Global("torch_utils.persistence", "_reconstruct_persistent_obj")


def save_official(path: str | os.PathLike[str], network: Network, *, replace: bool = True) -> list[str]:
    """Write a network as an official-shaped pickle, whole or not at all.

    Args:
        path: final name, one that ends in `.pkl`.
        network: what to write; float32 is kept bit by bit.
        replace: whether to replace a file that exists by then.

    Returns:
        What the format cannot carry and what had to be made up, a line each.

    Raises:
        CheckpointError: there is no generator.
        FileExistsError: there is a file, and it is not to be replaced.
        OSError: the file cannot be written, or the disk is full.
    """
    G, G_ema = network.generator("raw"), network.generator("ema")
    notes = []
    if network.G is None or network.G_ema is None:
        absent, there = ("G", "G_ema") if network.G is None else ("G_ema", "G")
        notes.append(f"no {absent}: a copy of {there} stands in, since the official tools want both")
    D = network.D
    if D is None and G_ema.img_resolution < LEAST_RESOLUTION:
        notes.append(
            f"no discriminator: there is none for pictures of {G_ema.img_resolution} pixels, and the official loader "
            "wants one"
        )
    elif D is None:
        D = fresh_discriminator(G_ema)
        notes.append("no discriminator: one with random weights stands in, since the official tools want one")
    if network.meta.kimg or network.meta.licence:
        notes.append("an official file cannot carry kimg and licence: left out")
    source = Path(module_source.__file__).read_text(encoding="utf-8")
    root = {
        "G": _persistent(plain_copy(G, module_source.Generator), source, G.init_kwargs),
        "D": None
        if D is None
        else _persistent(plain_copy(D, module_source.Discriminator), source, D.init_kwargs),
        "G_ema": _persistent(plain_copy(G_ema, module_source.Generator), source, G_ema.init_kwargs),
        "augment_pipe": _augment_pipe(network.meta.augment_p, source),
        "training_set_kwargs": _easy(_training_set(network, G_ema)),
    }
    with atomic_path(path, replace=replace) as temporary, temporary.open("wb") as file:
        write_pickle(file, root)
    return notes


def _augment_pipe(p: float, source: str) -> Call | None:
    if p <= 0:
        return None
    with torch.device("cpu"):  # whatever the caller's default
        pipe = module_source.AugmentPipe()
    pipe.p.fill_(p)
    return _persistent(pipe.eval(), source, {})


def _training_set(network: Network, G: Generator) -> dict[str, Any]:
    """What official tools read about the data: no path of this machine, only its name and shape."""
    return {
        "class_name": "training.dataset.ImageFolderDataset",
        "path": network.meta.data_name,
        "use_labels": G.c_dim > 0,
        "max_size": None,
        "xflip": False,
        "resolution": G.img_resolution,
    }


def _persistent(module: nn.Module, source: str, init_kwargs: Mapping[str, Any]) -> Call:
    state: dict[str, Any] = {}
    for name, value in vars(module).items():
        if name == "_modules":
            children = {
                key: _persistent(child, source, {}) for key, child in value.items() if child is not None
            }
            state[name] = Ordered(children)
        elif name in ("_parameters", "_buffers"):
            state[name] = Ordered({key: _weight(tensor) for key, tensor in value.items()})
        else:
            state[name] = _attribute(value)
    state |= {"_init_args": (), "_init_kwargs": _easy(init_kwargs)}
    meta = {
        "type": "class",
        "version": _VERSION,
        "module_src": source,
        "class_name": type(module).__name__,
        "state": state,
    }
    return Call(_RECONSTRUCT, (New(_EASY_DICT, meta),))


def _weight(tensor: Tensor | None) -> Any:
    if not isinstance(tensor, nn.Parameter):
        return tensor
    return Call(Global("torch._utils", "_rebuild_parameter"), (tensor.detach(), False, Ordered({})))


def _attribute(value: Any) -> Any:
    """Plain values as they are; torch's tables of hooks, all empty, as ordered dictionaries."""
    return Ordered(value) if isinstance(value, dict) else value


def _easy(items: Mapping[str, Any]) -> New:
    """Nested settings, each level with attributes."""
    return New(
        _EASY_DICT,
        {key: _easy(value) if isinstance(value, Mapping) else value for key, value in items.items()},
    )
