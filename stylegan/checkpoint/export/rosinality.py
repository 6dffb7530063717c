"""Export as a rosinality `.pt`: the state dicts `g`, `d`, `g_ema` and `latent_avg` under that project's names.

The layers compute the same, so weights only change names and gain dimensions of 1. That project knows one
architecture: unconditional, colour, `skip` generator with noise and `resnet` discriminator, filter 1-3-3-1, float32.
What differs only in precision is written with a note; anything else is refused.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stylegan.atomic import atomic_path
from stylegan.checkpoint.native import Network
from stylegan.discriminator import Discriminator
from stylegan.errors import CheckpointError
from stylegan.generator import Generator
from stylegan.ops import setup_filter
from stylegan.torch_save import save_torch

__all__ = ["save_rosinality"]

_TAPS = (1, 3, 3, 1)
_THEIR_WIDTHS = ((16384, 512), (32768, 512))  # channel_multiplier 1 and 2
_LOSSES = {
    "num_fp16_res": "half precision",
    "conv_clamp": "the clamp on its layers",
}


def save_rosinality(path: str | os.PathLike[str], network: Network, *, replace: bool = True) -> list[str]:
    """Write a network as a rosinality checkpoint, whole or not at all.

    Args:
        path: final name, one that ends in `.pt`.
        network: what to write; float32 weights are kept bit by bit.
        replace: whether to replace a file that exists by then.

    Returns:
        What the format cannot carry, a line each.

    Raises:
        CheckpointError: another architecture than the format knows, or no generator.
        FileExistsError: there is a file, and it is not to be replaced.
        OSError: the file cannot be written, or the disk is full.
    """
    name = Path(path).name
    root: dict[str, Any] = {}
    for key, part in (("g", network.G), ("d", network.D), ("g_ema", network.G_ema)):
        if part is not None:
            _check(name, part)
            names = _discriminator(part) if isinstance(part, Discriminator) else _generator(part)
            root[key] = OrderedDict((theirs, tensor.to("cpu", copy=True)) for theirs, tensor in names)
    G = network.generator()
    if getattr(G.mapping, "w_avg", None) is not None:
        root["latent_avg"] = G.mapping.w_avg.detach().cpu().clone()
    if network.meta.augment_p:
        root["ada_aug_p"] = float(network.meta.augment_p)
    with atomic_path(path, replace=replace) as temporary:
        save_torch(root, temporary)
    return list(_notes(network))


def _notes(network: Network) -> Iterator[str]:
    parts = [part for part in (network.G, network.D, network.G_ema) if part is not None]
    settings = [
        part.init_kwargs if isinstance(part, Discriminator) else part.init_kwargs["synthesis_kwargs"]
        for part in parts
    ]
    for key, what in _LOSSES.items():
        if any(given.get(key) for given in settings):
            yield f"a rosinality file cannot carry {what}: left out"
    if network.G is not None and network.G_ema is not None:
        yield "a rosinality file has one average of w, here G_ema's: that of G is left out"
    widths = [(given.get("channel_base", 32768), given.get("channel_max", 512)) for given in settings]
    if any(pair not in _THEIR_WIDTHS for pair in widths):
        yield "rosinality's own program has other channel counts: only tools that take them from the file read it"
    if network.meta.kimg or network.meta.licence:
        yield "a rosinality file cannot carry kimg, data set and licence: left out"


def _check(name: str, network: Generator | Discriminator) -> None:
    settings = network.init_kwargs
    wrong = []
    if network.c_dim:
        wrong.append("labels")
    if network.img_channels != 3:
        wrong.append(f"{network.img_channels} channels")
    if isinstance(network, Generator):
        synthesis, mapping = settings["synthesis_kwargs"], settings["mapping_kwargs"]
        wrong += _unlike(synthesis, architecture="skip", activation="lrelu", use_noise=True)
        wrong += _unlike(mapping, activation="lrelu", lr_multiplier=0.01)
        if network.z_dim != network.w_dim or mapping.get("layer_features") not in (None, network.w_dim):
            wrong.append("layers of several widths in its mapping network")
    else:
        block, epilogue = settings["block_kwargs"], settings["epilogue_kwargs"]
        wrong += _unlike(settings, architecture="resnet")
        wrong += _unlike(block, activation="lrelu")
        wrong += _unlike(epilogue, activation="lrelu", mbstd_num_channels=1)
        if epilogue.get("mbstd_group_size", 4) != 4:
            wrong.append("another mbstd_group_size")
    filters = {key: value for key, value in network.state_dict().items() if key.endswith("resample_filter")}
    usual = setup_filter(_TAPS)
    if any(value.shape != usual.shape or not torch.equal(value.cpu(), usual) for value in filters.values()):
        wrong.append("another resampling filter")
    if wrong:
        raise CheckpointError(
            f"{name}: rosinality's format has no network with {wrong[0]}; export to .pkl or .safetensors"
        )


def _unlike(settings: dict[str, Any], **known: Any) -> list[str]:
    return [f"{key} {settings[key]}" for key, value in known.items() if settings.get(key, value) != value]


def _generator(network: Generator) -> Iterator[tuple[str, Tensor]]:
    """(their name, tensor in their shape), official names on the right."""
    state = network.state_dict()
    kernel = setup_filter(_TAPS)
    for i in range(network.mapping.num_layers):
        for part in ("weight", "bias"):
            yield f"style.{i + 1}.{part}", state[f"mapping.fc{i}.{part}"]
    yield "input.input", state["synthesis.b4.const"][None]
    num_noises = 0
    for k, res in enumerate(network.synthesis.block_resolutions, start=-1):
        convs = {"conv1": "conv1"} if res == 4 else {"conv0": f"convs.{2 * k}", "conv1": f"convs.{2 * k + 1}"}
        for layer, theirs in convs.items():
            ours = f"synthesis.b{res}.{layer}"
            yield from _modulated(state, ours, theirs)
            yield f"{theirs}.activate.bias", state[f"{ours}.bias"]
            yield f"{theirs}.noise.weight", state[f"{ours}.noise_strength"].reshape(1)
            yield f"noises.noise_{num_noises}", state[f"{ours}.noise_const"][None, None]
            if layer == "conv0":
                yield f"{theirs}.conv.blur.kernel", kernel * 4
            num_noises += 1
        theirs = "to_rgb1" if res == 4 else f"to_rgbs.{k}"
        yield from _modulated(state, f"synthesis.b{res}.torgb", theirs)
        yield f"{theirs}.bias", state[f"synthesis.b{res}.torgb.bias"].reshape(1, -1, 1, 1)
        if res > 4:
            yield f"{theirs}.upsample.kernel", kernel * 4


def _modulated(state: dict[str, Tensor], ours: str, theirs: str) -> Iterator[tuple[str, Tensor]]:
    yield f"{theirs}.conv.weight", state[f"{ours}.weight"][None]
    yield f"{theirs}.conv.modulation.weight", state[f"{ours}.affine.weight"]
    yield f"{theirs}.conv.modulation.bias", state[f"{ours}.affine.bias"]


def _discriminator(network: Discriminator) -> Iterator[tuple[str, Tensor]]:
    state = network.state_dict()
    kernel = setup_filter(_TAPS)
    yield "convs.0.0.weight", state[f"b{network.img_resolution}.fromrgb.weight"]
    yield "convs.0.1.bias", state[f"b{network.img_resolution}.fromrgb.bias"]
    for i, res in enumerate(network.block_resolutions, start=1):
        for layer, conv, number in (("conv0", "conv1", 0), ("conv1", "conv2", 1)):
            yield f"convs.{i}.{conv}.{number}.weight", state[f"b{res}.{layer}.weight"]
            yield f"convs.{i}.{conv}.{number + 1}.bias", state[f"b{res}.{layer}.bias"]
        yield f"convs.{i}.conv2.0.kernel", kernel
        yield f"convs.{i}.skip.0.kernel", kernel
        yield f"convs.{i}.skip.1.weight", state[f"b{res}.skip.weight"]
    for theirs, ours in (("final_conv.0.weight", "conv.weight"), ("final_conv.1.bias", "conv.bias")):
        yield theirs, state[f"b4.{ours}"]
    for i, layer in enumerate(("fc", "out")):
        for part in ("weight", "bias"):
            yield f"final_linear.{i}.{part}", state[f"b4.{layer}.{part}"]
