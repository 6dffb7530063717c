"""Checkpoints of every format, written here from our own networks: no official code is needed.

The real pickler does the work. Classes and functions that the official tools would have are stood in for by empty
ones under the same module names, present while a file is being written and never while one is read.
"""

import argparse
import contextlib
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stylegan import Discriminator, Generator

SYNTHESIS = {"channel_base": 256, "channel_max": 24}
_KERNEL = torch.outer(*[torch.tensor([1.0, 3.0, 3.0, 1.0])] * 2) / 64


def generator(seed: int = 0, **changes: Any) -> Generator:
    """A small generator with random weights everywhere."""
    arguments: dict[str, Any] = {
        "z_dim": 8,
        "c_dim": 0,
        "w_dim": 12,
        "img_resolution": 16,
        "img_channels": 3,
        "mapping_kwargs": {"num_layers": 2},
        "synthesis_kwargs": SYNTHESIS,
    }
    return randomised(Generator(**(arguments | changes)), seed)


def discriminator(seed: int = 1, **changes: Any) -> Discriminator:
    """A small discriminator with random weights everywhere."""
    arguments: dict[str, Any] = {"c_dim": 0, "img_resolution": 16, "img_channels": 3, **SYNTHESIS}
    return randomised(Discriminator(**(arguments | changes)), seed)


def randomised(network: Any, seed: int) -> Any:
    """The network with no weight left at its starting value, filters excepted."""
    draws = torch.Generator().manual_seed(seed)
    for key, value in network.state_dict().items():
        if not key.endswith("resample_filter"):
            value.copy_(torch.randn(value.shape, generator=draws))
    return network.eval().requires_grad_(False)


class EasyDict(dict[str, Any]):
    """A dictionary with attributes, as the official tools have it."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def _reconstruct_persistent_obj(meta: Any) -> Any:
    raise AssertionError("a reader called it")


class OldNetwork:
    """A network of the TensorFlow release, as its pickles have it."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def __getstate__(self) -> dict[str, Any]:
        return self.state


class Persistent:
    """A module of the official PyTorch release, as its pickles have it."""

    def __init__(self, class_name: str, state: dict[str, Any]) -> None:
        self.meta = EasyDict(
            type="class",
            version=6,
            module_src=MODULE_SRC,
            class_name=class_name,
            state=state,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _reconstruct_persistent_obj, (self.meta,)


MODULE_SRC = "# source code that must never run\nraise SystemExit(1)\n" * 200


@contextlib.contextmanager
def official_names() -> Iterator[None]:
    """The names of the official tools, importable for as long as a file is written."""
    places = {
        "dnnlib.util": {"EasyDict": EasyDict},
        "torch_utils.persistence": {"_reconstruct_persistent_obj": _reconstruct_persistent_obj},
        "dnnlib.tflib.network": {"Network": OldNetwork},
    }
    modules: dict[str, types.ModuleType] = {}
    kept = {}
    for name, members in places.items():
        for depth in range(1, name.count(".") + 2):
            part = ".".join(name.split(".")[:depth])
            modules.setdefault(part, types.ModuleType(part))
        for member, thing in members.items():
            kept[member] = (thing, thing.__module__, thing.__name__, thing.__qualname__)
            thing.__module__, thing.__name__, thing.__qualname__ = name, member, member
            setattr(modules[name], member, thing)
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
        for thing, module, short, qualified in kept.values():
            thing.__module__, thing.__name__, thing.__qualname__ = module, short, qualified


def persistent(
    module: nn.Module, init_kwargs: dict[str, Any] | None = None, class_name: str = ""
) -> Persistent:
    """A module as the official tools pickle it: its attributes, and those of the modules in it."""
    plain = (bool, int, float, str, type(None), list, np.floating)
    internal = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, (*plain, set, OrderedDict, dict))
    }
    internal.pop("init_kwargs", None)
    state = internal | {
        "_parameters": OrderedDict(module._parameters),
        "_buffers": OrderedDict(module._buffers),
        "_modules": OrderedDict((key, persistent(child)) for key, child in module._modules.items() if child),
        "_init_args": (),
        "_init_kwargs": EasyDict(init_kwargs or {}),
        "weight_gain": np.float64(0.25),
        "act_gain": np.sqrt(2),
    }
    return Persistent(class_name or type(module).__name__, state)


def pipe(p: float) -> Persistent:
    """An augmentation pipe at probability `p`."""
    module = nn.Module()
    module.register_buffer("p", torch.tensor(p))
    return persistent(module, {"xflip": 1, "rotate90": 1}, "AugmentPipe")


def write_official(path: Path, networks: dict[str, Any], protocol: int = 4, p: float | None = None) -> Path:
    """An official PyTorch pickle; values are our networks, or anything else to be pickled as it is."""
    root: dict[str, Any] = {
        key: persistent(value, value.init_kwargs) if isinstance(value, nn.Module) else value
        for key, value in networks.items()
    }
    root["augment_pipe"] = None if p is None else pipe(p)
    root["training_set_kwargs"] = EasyDict(class_name="training.dataset.ImageFolderDataset", path="a.zip")
    with official_names():
        path.write_bytes(pickle.dumps(root, protocol))
    return path


def rosinality_state(network: Generator | Discriminator) -> dict[str, Tensor]:
    """A state dict as rosinality names it; written from the table of names, not from the reader."""
    if isinstance(network, Discriminator):
        return _rosinality_discriminator(network)
    state = network.state_dict()
    found: dict[str, Tensor] = OrderedDict()
    for i in range(network.mapping.num_layers):
        found[f"style.{i + 1}.weight"] = state[f"mapping.fc{i}.weight"]
        found[f"style.{i + 1}.bias"] = state[f"mapping.fc{i}.bias"]
    found["input.input"] = state["synthesis.b4.const"][None]
    num_noises = 0
    for k, res in enumerate(network.synthesis.block_resolutions, start=-1):
        layers = (
            {"conv1": "conv1"} if res == 4 else {"conv0": f"convs.{2 * k}", "conv1": f"convs.{2 * k + 1}"}
        )
        for layer, theirs in layers.items():
            ours = f"synthesis.b{res}.{layer}"
            found |= _rosinality_modulated(state, ours, theirs)
            found[f"{theirs}.activate.bias"] = state[f"{ours}.bias"]
            found[f"{theirs}.noise.weight"] = state[f"{ours}.noise_strength"][None]
            found[f"noises.noise_{num_noises}"] = state[f"{ours}.noise_const"][None, None]
            num_noises += 1
            if layer == "conv0":
                found[f"{theirs}.conv.blur.kernel"] = 4 * _KERNEL
        theirs = "to_rgb1" if res == 4 else f"to_rgbs.{k}"
        ours = f"synthesis.b{res}.torgb"
        found |= _rosinality_modulated(state, ours, theirs)
        found[f"{theirs}.bias"] = state[f"{ours}.bias"][None, :, None, None]
        if res > 4:
            found[f"{theirs}.upsample.kernel"] = 4 * _KERNEL
    return found


def _rosinality_modulated(state: dict[str, Tensor], ours: str, theirs: str) -> dict[str, Tensor]:
    return {
        f"{theirs}.conv.weight": state[f"{ours}.weight"][None],
        f"{theirs}.conv.modulation.weight": state[f"{ours}.affine.weight"],
        f"{theirs}.conv.modulation.bias": state[f"{ours}.affine.bias"],
    }


def _rosinality_discriminator(network: Discriminator) -> dict[str, Tensor]:
    state = network.state_dict()
    found: dict[str, Tensor] = OrderedDict()
    found["convs.0.0.weight"] = state[f"b{network.img_resolution}.fromrgb.weight"]
    found["convs.0.1.bias"] = state[f"b{network.img_resolution}.fromrgb.bias"]
    for i, res in enumerate(network.block_resolutions, start=1):
        found[f"convs.{i}.conv1.0.weight"] = state[f"b{res}.conv0.weight"]
        found[f"convs.{i}.conv1.1.bias"] = state[f"b{res}.conv0.bias"]
        found[f"convs.{i}.conv2.0.kernel"] = _KERNEL
        found[f"convs.{i}.conv2.1.weight"] = state[f"b{res}.conv1.weight"]
        found[f"convs.{i}.conv2.2.bias"] = state[f"b{res}.conv1.bias"]
        found[f"convs.{i}.skip.0.kernel"] = _KERNEL
        found[f"convs.{i}.skip.1.weight"] = state[f"b{res}.skip.weight"]
    found["final_conv.0.weight"] = state["b4.conv.weight"]
    found["final_conv.1.bias"] = state["b4.conv.bias"]
    for i, layer in enumerate(("fc", "out")):
        found[f"final_linear.{i}.weight"] = state[f"b4.{layer}.weight"]
        found[f"final_linear.{i}.bias"] = state[f"b4.{layer}.bias"]
    return found


def write_rosinality(path: Path, networks: dict[str, Any], *, is_legacy: bool = False, **extra: Any) -> Path:
    """A `.pt` of rosinality's tools; keys of `networks` are `g`, `d` and `g_ema`."""
    root = {key: rosinality_state(network) for key, network in networks.items()} | extra
    torch.save(root, path, _use_new_zipfile_serialization=not is_legacy)
    return path


def training_extras() -> dict[str, Any]:
    """What rosinality's training adds to its files."""
    # The state of torch's own Adam after a step; making a real one takes a second, because of what it imports.
    moments = [
        {"step": torch.tensor(1.0), "exp_avg": torch.full(shape, 0.1), "exp_avg_sq": torch.full(shape, 1e-3)}
        for shape in ((2, 2), (2,))
    ]
    settings = {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-08, "weight_decay": 0, "amsgrad": False}
    switches = {"maximize": False, "foreach": None, "capturable": False, "differentiable": False}
    group = settings | switches | {"fused": None, "decoupled_weight_decay": False, "params": [0, 1]}
    return {
        "g_optim": {"state": dict(enumerate(moments)), "param_groups": [group]},
        "args": argparse.Namespace(iter=800000, path="lmdb", augment=True),
        "ada_aug_p": 0.375,
    }


def old_network(network: Generator | Discriminator, name: str) -> OldNetwork:
    """A network of ours as the TensorFlow release pickles it."""
    if isinstance(network, Discriminator):
        arrays = _OldArrays(network)
        arrays.put_discriminator(network)
        return _old(name, arrays.found, EasyDict(), network.c_dim)
    mapping, synthesis = _OldArrays(network), _OldArrays(network)
    mapping.put_mapping(network, "Dense")
    synthesis.put_synthesis(network)
    components = EasyDict(
        mapping=_old("G_mapping", mapping.found, EasyDict()),
        synthesis=_old("G_synthesis", synthesis.found, EasyDict()),
    )
    own = {"lod": np.float32(0), "dlatent_avg": mapping.state["mapping.w_avg"]}
    return _old(name, own, components, network.c_dim)


class _OldArrays:
    """A network's weights as TensorFlow's arrays, under their names there."""

    def __init__(self, network: nn.Module) -> None:
        self.state = {key: value.numpy().copy() for key, value in network.state_dict().items()}
        self.found: dict[str, Any] = {}

    def put_discriminator(self, network: Discriminator) -> None:
        top = network.img_resolution
        for res in network.block_resolutions:
            self.put(f"{res}x{res}/Conv0", f"b{res}.conv0")
            self.put(f"{res}x{res}/Conv1_down", f"b{res}.conv1")
            self.put(f"{res}x{res}/Skip", f"b{res}.skip", bias=False)
        self.put(f"{top}x{top}/FromRGB", f"b{top}.fromrgb")
        self.put("4x4/Conv", "b4.conv")
        self.put("4x4/Dense0", "b4.fc")
        self.put("Output", "b4.out")
        if network.c_dim:
            self.put_mapping(network, "Mapping")

    def put_mapping(self, network: Any, layer: str) -> None:
        if network.c_dim:
            self.put("LabelEmbed", "mapping.embed")
        for i in range(network.mapping.num_layers):
            self.put(f"{layer}{i}", f"mapping.fc{i}")

    def put_synthesis(self, network: Generator) -> None:
        self.found["4x4/Const/const"] = self.state["synthesis.b4.const"][None]
        num_noises = 0
        for res in network.synthesis.block_resolutions:
            block, theirs = f"synthesis.b{res}", f"{res}x{res}"
            layers = {"conv1": "Conv"} if res == 4 else {"conv0": "Conv0_up", "conv1": "Conv1"}
            for layer, name in layers.items():
                self.put(f"{theirs}/{name}", f"{block}.{layer}", mod=True, turned=name == "Conv0_up")
                self.found[f"noise{num_noises}"] = self.state[f"{block}.{layer}.noise_const"][None, None]
                num_noises += 1
            self.put(f"{theirs}/ToRGB", f"{block}.torgb", mod=True)

    def put(
        self, theirs: str, ours: str, *, bias: bool = True, mod: bool = False, turned: bool = False
    ) -> None:
        weight = self.state[f"{ours}.weight"]
        weight = weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T
        self.found[f"{theirs}/weight"] = np.ascontiguousarray(weight[::-1, ::-1] if turned else weight)
        if bias:
            self.found[f"{theirs}/bias"] = self.state[f"{ours}.bias"]
        if mod:
            self.found[f"{theirs}/mod_weight"] = np.ascontiguousarray(self.state[f"{ours}.affine.weight"].T)
            self.found[f"{theirs}/mod_bias"] = self.state[f"{ours}.affine.bias"] - 1
        if f"{ours}.noise_strength" in self.state:
            self.found[f"{theirs}/noise_strength"] = self.state[f"{ours}.noise_strength"][()]  # a number


def _old(name: str, arrays: dict[str, Any], components: EasyDict, label_size: int = 0) -> OldNetwork:
    return OldNetwork(
        {
            "version": 4,
            "name": name,
            "static_kwargs": EasyDict(num_channels=3, label_size=label_size),
            "components": components,
            "build_module_src": MODULE_SRC,
            "build_func_name": "build",
            "variables": list(arrays.items()),
        }
    )


def write_tensorflow(path: Path, networks: tuple[Any, ...], protocol: int = 4) -> Path:
    """An official TensorFlow pickle of G, D and averaged G, None for one left out; or of one network by itself."""
    root: Any = tuple(
        network and old_network(network, name) for network, name in zip(networks, "GDg", strict=False)
    )
    if len(root) == 1:
        root = root[0]
    with official_names():
        path.write_bytes(pickle.dumps(root, protocol))
    return path


def assert_same(actual: Any, expected: Any) -> None:
    """The same weights, to the bit."""
    assert type(actual) is type(expected)
    found, wanted = actual.state_dict(), expected.state_dict()
    assert list(found) == list(wanted)
    for key, value in wanted.items():
        assert torch.equal(found[key], value), key
