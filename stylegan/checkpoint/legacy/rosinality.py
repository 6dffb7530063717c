"""Checkpoints of rosinality's StyleGAN2 (`.pt`): other names, the same weights.

A file holds the state dicts `g_ema`, `g` and `d`, and `latent_avg` where it was converted from the official ones.
Files of a training add optimisers and options, which are ignored. Settings are read off the shapes. The layers compute
the same as the official ones, so no weight is flipped or scaled.
"""

from collections.abc import Mapping
from typing import TypeAlias

import torch

from stylegan.checkpoint.legacy.assemble import Build, Weight, assemble
from stylegan.checkpoint.legacy.bounds import DAMAGED, RefusedError, shown
from stylegan.checkpoint.legacy.channels import channel_settings, resolutions
from stylegan.checkpoint.legacy.tensors import TensorRecord
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator
from stylegan.ops import setup_filter

__all__ = ["is_rosinality", "read_rosinality"]

_NETWORKS = {"G": "g", "D": "d", "G_ema": "g_ema"}
_FILTER = (1, 3, 3, 1)
_NUM_W_AVG_SAMPLES = 4096
_Names: TypeAlias = dict[str, str]


def is_rosinality(root: object) -> bool:
    """Whether an unpickled object has the outline of such a file."""
    if type(root) is not dict:
        return False
    return _is_generator(root) or any(
        _is_generator(state) or (type(state) is dict and "convs.0.0.weight" in state)
        for state in (root.get(name) for name in _NETWORKS.values())
    )


def read_rosinality(
    root: Mapping[str, object], build: Build = assemble
) -> tuple[dict[str, Generator | Discriminator], float]:
    """Build the networks of a file.

    Args:
        root: the unpickled dictionary, or the state dict of a generator by itself.
        build: what makes a network.

    Returns:
        The networks by name, and the augmentation probability.

    Raises:
        RefusedError: a network of another architecture, or a damaged one.
    """
    if _is_generator(root):
        root = {"g_ema": root}
    networks: dict[str, Generator | Discriminator] = {}
    for name, key in _NETWORKS.items():
        if root.get(key) is None:
            continue
        state = _State(name, root[key])
        read = _read_discriminator if name == "D" else _read_generator
        networks[name] = read(state, root, build)
    p = root.get("ada_aug_p", 0.0)
    known = isinstance(p, int | float) and 0 <= p <= 1
    return networks, float(p) if known else 0.0  # type: ignore[arg-type]


def _is_generator(state: object) -> bool:
    return type(state) is dict and ("input.input" in state or "module.input.input" in state)


class _State:
    """A state dict that keeps track of which of its tensors have been used."""

    def __init__(self, name: str, state: object) -> None:
        if type(state) is not dict or not all(type(key) is str for key in state):
            raise RefusedError(f"has a {name} that is not a state dict; {DAMAGED}")
        self.name = name
        self.tensors: dict[str, object] = {key.removeprefix("module."): value for key, value in state.items()}
        self.unused = {key for key in self.tensors if not key.endswith(".kernel")}

    def get(self, key: str) -> TensorRecord:
        tensor = self.tensors.get(key)
        if not isinstance(tensor, TensorRecord):
            raise RefusedError(
                f"lacks tensor {shown(f'{self.name}: {key}')}; only rosinality's StyleGAN2 is read"
            )
        self.unused.discard(key)
        return tensor

    def count(self, pattern: str, start: int = 0) -> int:
        """How many tensors named by `pattern`, which has a number in it, there are from `start` on without a gap."""
        number = start
        while pattern.format(number) in self.tensors:
            number += 1
        return number - start

    def size(self, key: str, dimension: int) -> int:
        shape = self.get(key).shape
        if dimension >= len(shape):
            raise RefusedError(
                f"has {shown(key)} of {len(shape)} dimensions; only rosinality's StyleGAN2 is read"
            )
        return shape[dimension]

    def weights(self, names: _Names) -> dict[str, Weight]:
        """Weights by official key, given their names here; refuses tensors that are left unused."""
        found = {key: _squeezed(key, self.get(name)) for key, name in names.items()}
        for name in sorted(self.unused):
            raise RefusedError(
                f"has an unknown tensor {shown(f'{self.name}: {name}')}; only StyleGAN2 is read"
            )
        return found

    def check_filter(self, key: str) -> None:
        """Refuse a network that resamples with other than the usual taps."""
        kernel = self.tensors.get(key)
        if not isinstance(kernel, TensorRecord) or kernel.shape != (4, 4):
            raise RefusedError(
                f"has another filter than rosinality's ({shown(key)}); only the default is read"
            )
        taps = kernel.read()
        if not torch.allclose(taps / taps.sum(), setup_filter(_FILTER), atol=1e-6):
            raise RefusedError("resamples by another filter than the default; only that is read")


def _squeezed(key: str, tensor: TensorRecord) -> Weight:
    """The weight without the dimensions of 1 that only rosinality has."""
    shape = tensor.shape
    if key.endswith("torgb.bias") and len(shape) == 4:
        shape = shape[1:2] if shape == (1, shape[1], 1, 1) else shape
    elif _has_leading_one(key, shape):
        shape = shape[2:] if key.endswith("noise_const") and shape[1:2] == (1,) else shape[1:]
    return Weight(shape=shape, read=lambda: tensor.read().reshape(shape))


def _has_leading_one(key: str, shape: tuple[int, ...]) -> bool:
    dimensions = {"const": 4, "noise_strength": 1, "noise_const": 4, "weight": 5}.get(key.rpartition(".")[2])
    return len(shape) == dimensions and shape[0] == 1


def _read_generator(state: _State, root: Mapping[str, object], build: Build) -> Generator:
    num_convs = state.count("convs.{}.conv.weight")
    sizes = resolutions(1 + num_convs // 2)
    num_layers = state.count("style.{}.weight", start=1)
    layers = ["conv1", *(f"convs.{2 * k + 1}" for k in range(len(sizes) - 1))]
    channels = {res: state.size(f"{layer}.conv.weight", 1) for res, layer in zip(sizes, layers, strict=True)}
    w_dim = state.size("conv1.conv.modulation.weight", 1)
    arguments: dict[str, object] = {
        "z_dim": state.size("style.1.weight", 1),
        "c_dim": 0,
        "w_dim": w_dim,
        "img_resolution": sizes[-1],
        "img_channels": state.size("to_rgb1.conv.weight", 1),
        "mapping_kwargs": {"num_layers": num_layers},
        "synthesis_kwargs": channel_settings(channels),
    }
    if len(sizes) > 1:
        state.check_filter("to_rgbs.0.upsample.kernel")
    weights = state.weights(_generator_names(sizes, num_layers))
    w_avg = root.get("latent_avg")
    if w_avg is not None and not isinstance(w_avg, TensorRecord):
        raise RefusedError(f"has a latent_avg that is not a tensor; {DAMAGED}")
    if w_avg is not None:
        weights["mapping.w_avg"] = Weight(shape=w_avg.shape[-1:], read=lambda: w_avg.read().reshape(-1))
    else:
        weights["mapping.w_avg"] = Weight(
            shape=(w_dim,), read=lambda: torch.zeros(w_dim, dtype=torch.float32, device="cpu")
        )
    network = build(state.name, arguments, weights, setup_filter(_FILTER))
    assert isinstance(network, Generator)
    if w_avg is None and not network.mapping.w_avg.is_meta:
        network.mapping.w_avg.copy_(_mean_w(network))
    return network


def _mean_w(network: Generator) -> torch.Tensor:
    """The mean of w over seeded latents, which files of a training do not hold."""
    draws = torch.Generator("cpu").manual_seed(0)
    shape = [_NUM_W_AVG_SAMPLES, network.z_dim]
    with torch.no_grad():
        z = torch.randn(shape, generator=draws, dtype=torch.float32, device="cpu")
        return network.mapping(z, None)[:, 0].mean(dim=0)


def _generator_names(sizes: list[int], num_layers: int) -> _Names:
    names = {"synthesis.b4.const": "input.input"}
    for i in range(num_layers):
        names |= {f"mapping.fc{i}.{part}": f"style.{i + 1}.{part}" for part in ("weight", "bias")}
    names |= _layer_names("b4.conv1", "conv1", noise=0) | _rgb_names(4, "to_rgb1")
    for k, res in enumerate(sizes[1:]):
        names |= _layer_names(f"b{res}.conv0", f"convs.{2 * k}", noise=2 * k + 1)
        names |= _layer_names(f"b{res}.conv1", f"convs.{2 * k + 1}", noise=2 * k + 2)
        names |= _rgb_names(res, f"to_rgbs.{k}")
    return names


def _layer_names(official: str, theirs: str, noise: int) -> _Names:
    return {
        f"synthesis.{official}.weight": f"{theirs}.conv.weight",
        f"synthesis.{official}.bias": f"{theirs}.activate.bias",
        f"synthesis.{official}.affine.weight": f"{theirs}.conv.modulation.weight",
        f"synthesis.{official}.affine.bias": f"{theirs}.conv.modulation.bias",
        f"synthesis.{official}.noise_strength": f"{theirs}.noise.weight",
        f"synthesis.{official}.noise_const": f"noises.noise_{noise}",
    }


def _rgb_names(res: int, theirs: str) -> _Names:
    official = f"synthesis.b{res}.torgb"
    return {
        f"{official}.weight": f"{theirs}.conv.weight",
        f"{official}.bias": f"{theirs}.bias",
        f"{official}.affine.weight": f"{theirs}.conv.modulation.weight",
        f"{official}.affine.bias": f"{theirs}.conv.modulation.bias",
    }


def _read_discriminator(state: _State, root: Mapping[str, object], build: Build) -> Discriminator:
    sizes = resolutions(1 + state.count("convs.{}.conv1.0.weight", start=1))[::-1]
    outputs = ["convs.0.0", *(f"convs.{i}.conv2.1" for i in range(1, len(sizes)))]
    channels = {res: state.size(f"{layer}.weight", 0) for res, layer in zip(sizes, outputs, strict=True)}
    arguments: dict[str, object] = {
        "c_dim": 0,
        "img_resolution": sizes[0],
        "img_channels": state.size("convs.0.0.weight", 1),
        "epilogue_kwargs": {"mbstd_num_channels": state.size("final_conv.0.weight", 1) - channels[4]},
        **channel_settings(channels),
    }
    if len(sizes) > 1:
        state.check_filter("convs.1.conv2.0.kernel")
    weights = state.weights(_discriminator_names(sizes))
    network = build("D", arguments, weights, setup_filter(_FILTER))
    assert isinstance(network, Discriminator)
    return network


def _discriminator_names(sizes: list[int]) -> _Names:
    names = _pair(f"b{sizes[0]}.fromrgb", "convs.0.0.weight", "convs.0.1.bias")
    for i, res in enumerate(sizes[:-1], start=1):
        names |= _pair(f"b{res}.conv0", f"convs.{i}.conv1.0.weight", f"convs.{i}.conv1.1.bias")
        names |= _pair(f"b{res}.conv1", f"convs.{i}.conv2.1.weight", f"convs.{i}.conv2.2.bias")
        names[f"b{res}.skip.weight"] = f"convs.{i}.skip.1.weight"
    names |= _pair("b4.conv", "final_conv.0.weight", "final_conv.1.bias")
    names |= _pair("b4.fc", "final_linear.0.weight", "final_linear.0.bias")
    return names | _pair("b4.out", "final_linear.1.weight", "final_linear.1.bias")


def _pair(official: str, weight: str, bias: str) -> _Names:
    return {f"{official}.weight": weight, f"{official}.bias": bias}
