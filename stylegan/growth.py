"""Networks grown to a higher resolution, and wider, without forgetting: a start for a training that costs less.

Progressive growing (arXiv 1710.10196) faded new layers in; here they are added so that nothing changes at first, as
Net2Net (arXiv 1511.05641) does: the grown generator draws the old picture enlarged, `upsample2d(G(z))`, and the grown
discriminator judges the picture made small, `D(downsample2d(x))`. New channels compute from random weights, but the
weights that read them are zero, and new blocks add nothing to the picture. Their gradients are not zero, so that
training starts to use them.
"""

import copy
import math
from typing import Any

import torch
from torch import Tensor

from stylegan.discriminator import Discriminator
from stylegan.errors import ConfigError
from stylegan.generator import Generator
from stylegan.layers import ConvLayer, SynthesisLayer, ToRGBLayer
from stylegan.pyramid import MAX_RESOLUTION, channel_counts

__all__ = ["grow_discriminator", "grow_generator"]

_LEAK = 0.2
"""Slope of lrelu below zero."""


@torch.no_grad()
def grow_generator(G: Generator, img_resolution: int, *, channel_base: int | None = None) -> Generator:
    """A generator of a higher resolution that draws the pictures of `G`, enlarged by the FIR.

    Args:
        G: a skip generator, on the CPU.
        img_resolution: a greater power of two.
        channel_base: channels times resolution of the grown one, at least that of `G`; None keeps it.

    Returns:
        The grown network in evaluation mode; what is new in it is drawn from torch's generator.

    Raises:
        ConfigError: a resolution that is not greater or far too great, fewer channels, or another architecture.
    """
    kwargs = copy.deepcopy(G.init_kwargs)
    synthesis = kwargs["synthesis_kwargs"]
    if synthesis.get("architecture", "skip") != "skip":
        raise ConfigError(
            f"a generator of architecture {synthesis['architecture']!r} cannot grow; only skip can"
        )
    kwargs["img_resolution"] = img_resolution
    synthesis["channel_base"] = _wider(synthesis.get("channel_base", 32768), channel_base)
    _check(G.img_resolution, img_resolution, synthesis["channel_base"])
    grown = Generator(**kwargs).eval()
    grown.mapping.load_state_dict(G.mapping.state_dict())
    for res in grown.synthesis.block_resolutions:
        new = getattr(grown.synthesis, f"b{res}")
        if res > G.img_resolution:
            new.torgb.weight.zero_()
            continue
        old = getattr(G.synthesis, f"b{res}")
        if res == 4:
            new.const[: len(old.const)] = old.const
        for name in ("conv0", "conv1")[2 - old.num_conv :]:
            _widen_synthesis(getattr(new, name), getattr(old, name))
        _widen_rgb(new.torgb, old.torgb)
    return grown


@torch.no_grad()
def grow_discriminator(
    D: Discriminator, img_resolution: int, *, channel_base: int | None = None
) -> Discriminator:
    """A discriminator of a higher resolution that judges a picture as `D` judges it made small by the FIR.

    Args:
        D: a resnet discriminator, on the CPU.
        img_resolution: a greater power of two.
        channel_base: channels times resolution of the grown one, at least that of `D`; None keeps it.

    Returns:
        The grown network in evaluation mode, no layer frozen; what is new in it is drawn from torch's generator.

    Raises:
        ConfigError: a resolution that is not greater or far too great, fewer channels, too few for the picture to pass
            through, other channels at 4×4 (their spread is what minibatch deviation measures), or another architecture.
    """
    kwargs = copy.deepcopy(D.init_kwargs)
    if kwargs["architecture"] != "resnet":
        raise ConfigError(
            f"a discriminator of architecture {kwargs['architecture']!r} cannot grow; only resnet can"
        )
    if (activation := kwargs["block_kwargs"].get("activation", "lrelu")) != "lrelu":
        raise ConfigError(f"a discriminator of activation {activation!r} cannot grow; only lrelu can")
    wider = _wider(kwargs["channel_base"], channel_base)
    _check(D.img_resolution, img_resolution, wider)
    if img_resolution > 2 * D.img_resolution:
        D = grow_discriminator(D, img_resolution // 2, channel_base=channel_base)
    kwargs["img_resolution"] = img_resolution
    kwargs["channel_base"] = wider
    kwargs["block_kwargs"].pop("freeze_layers", None)
    grown = Discriminator(**kwargs).eval()
    if grown.b4.conv.weight.shape != D.b4.conv.weight.shape:
        raise ConfigError("a discriminator keeps its channels at 4×4; give a channel_base that leaves them")
    for name in ("b4", "mapping") if D.c_dim else ("b4",):
        getattr(grown, name).load_state_dict(getattr(D, name).state_dict())
    for old in D.blocks():
        new = getattr(grown, f"b{old.resolution}")
        for name in ("conv0", "conv1", "skip"):
            _widen_conv(getattr(new, name), getattr(old, name))
    _pass_through(getattr(grown, f"b{img_resolution}"), getattr(D, f"b{img_resolution // 2}").fromrgb)
    return grown


def _check(old: int, new: int, channel_base: int) -> None:
    if new <= old or new & (new - 1):
        raise ConfigError(f"a network of {old} pixels grows to a greater power of two, not {new}")
    if new > MAX_RESOLUTION:
        raise ConfigError(f"a network grows to {MAX_RESOLUTION} pixels at most, not {new}")
    try:
        channel_counts(new, channel_base, channel_base)
    except ValueError as error:
        raise ConfigError(f"{error}; give a greater channel_base, or a lower resolution") from None


def _wider(old: int, new: int | None) -> int:
    if new is not None and new < old:
        raise ConfigError(
            f"channel_base {new} is less than the network's {old}; a network grows, it does not shrink"
        )
    return old if new is None else new


def _widen_synthesis(new: SynthesisLayer, old: SynthesisLayer) -> None:
    """Keep the old outputs as they were, with zero weights for new inputs, which leave demodulation unchanged."""
    num_out, num_in = old.weight.shape[:2]
    new.weight[:num_out] = 0
    new.weight[:num_out, :num_in] = old.weight
    new.bias[:num_out] = old.bias
    new.affine.weight[:num_in] = old.affine.weight
    _put(new.affine.bias, old.affine.bias)
    if old.use_noise:
        new.noise_const.copy_(old.noise_const)
        new.noise_strength.copy_(old.noise_strength)


def _widen_rgb(new: ToRGBLayer, old: ToRGBLayer) -> None:
    num_in = old.weight.shape[1]
    new.weight.zero_()
    new.weight[:, :num_in] = old.weight * (old.weight_gain / new.weight_gain)
    new.bias.copy_(old.bias)
    new.affine.weight[:num_in] = old.affine.weight
    _put(new.affine.bias, old.affine.bias)


def _widen_conv(new: ConvLayer, old: ConvLayer) -> None:
    num_out, num_in = old.weight.shape[:2]
    new.weight[:num_out] = 0
    new.weight[:num_out, :num_in] = old.weight * (old.weight_gain / new.weight_gain)
    _put(new.bias, old.bias)


def _put(new: Tensor | None, old: Tensor | None) -> None:
    if new is not None and old is not None:
        new[: len(old)] = old


def _pass_through(block: Any, old: ConvLayer) -> None:
    """Let a new first block hand on what the old `fromrgb` made of the picture at half its size.

    lrelu would bend the picture, so it travels as a pair, x and -x: after two layers their difference is
    `2 (1 + 0.2²) x`, and the last convolution, whose FIR makes it small, weighs it as `fromrgb` did.
    """
    num_old, num_rgb = old.weight.shape[:2]
    pairs = 2 * num_rgb
    if block.fromrgb.weight.shape[0] < pairs:
        raise ConfigError(f"a picture needs {pairs} channels to pass through; give a greater channel_base")
    signs = torch.cat([torch.eye(num_rgb), -torch.eye(num_rgb)])  # [2 RGB, RGB]
    block.fromrgb.weight[:pairs, :, 0, 0] = signs / block.fromrgb.weight_gain
    block.conv0.weight[:pairs] = 0
    block.conv0.weight[:pairs, :pairs, 1, 1] = torch.eye(pairs) / block.conv0.weight_gain
    # The block halves the power of both its branches, and the other one is silent.
    weights = old.weight[:, :, 0, 0] * old.weight_gain * math.sqrt(2) / (2 * (1 + _LEAK**2))
    block.conv1.weight[:num_old] = 0
    block.conv1.weight[:num_old, :pairs, 1, 1] = weights @ signs.T / block.conv1.weight_gain
    block.skip.weight[:num_old] = 0
    assert old.bias is not None
    block.conv1.bias[:num_old] = old.bias * math.sqrt(2)
