"""The pickles of the official TensorFlow releases: StyleGAN2 and StyleGAN2-ADA, the latter with labels too.

A file holds three networks (G, D, and the averaged G), or some of them, each with its settings and a list of named
arrays; a generator keeps mapping and synthesis as networks of its own. Settings that have a shape are read off the
arrays, since defaults are not stored. Dense weights are transposed, convolutions go from [kh, kw, in, out] to [out,
in, kh, kw], the upsampling ones are rotated by half a turn, and the bias of a modulation gains the 1 that TensorFlow
adds when using it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from stylegan.checkpoint.legacy.arrays import ArrayRecord
from stylegan.checkpoint.legacy.assemble import Build, Weight, assemble
from stylegan.checkpoint.legacy.bounds import DAMAGED, RefusedError, shown
from stylegan.checkpoint.legacy.channels import channel_settings, resolutions
from stylegan.checkpoint.legacy.records import OldNetworkRecord
from stylegan.discriminator import Discriminator
from stylegan.generator import Generator
from stylegan.ops import setup_filter

__all__ = ["is_tensorflow", "read_tensorflow"]

_Change: TypeAlias = Callable[[Tensor], Tensor]
_ONLY = "only TensorFlow's StyleGAN2 and ADA networks are read"
_PASSED_OVER = ("lod",)
_NAMES = ("G", "D", "G_ema")
_MOST_TAP = 1e6  # of a resampling filter, whose taps are small numbers
# A part of an array's name that only networks of another kind have -> what they are.
_STRANGERS = {
    "StyleMod/": "StyleGAN1",
    "ToRGB_lod": "StyleGAN1 or progressive GAN",
    "FromRGB_lod": "StyleGAN1 or progressive GAN",
    "LabelConcat/": "the conditional StyleGAN2 from before ADA",
}


def is_tensorflow(root: object) -> bool:
    """Whether an unpickled object has the outline of such a file."""
    if isinstance(root, OldNetworkRecord):
        return True
    return type(root) in (tuple, list) and any(isinstance(item, OldNetworkRecord) for item in root)  # type: ignore[attr-defined]


def read_tensorflow(
    root: Sequence[object] | OldNetworkRecord, build: Build = assemble
) -> tuple[dict[str, Generator | Discriminator], float]:
    """Build the networks of a file.

    Args:
        root: the unpickled triple, with None for a network that is not there; or one or two networks.
        build: what makes a network.

    Returns:
        The networks by name, and the augmentation probability, which these files do not hold: 0.

    Raises:
        RefusedError: a network of another architecture, or a damaged one.
    """
    records = [root] if isinstance(root, OldNetworkRecord) else list(root)
    if len(records) > len(_NAMES):
        raise RefusedError(
            f"holds {len(records)} things, not the three networks G, D and averaged G; {DAMAGED}"
        )
    networks: dict[str, Generator | Discriminator] = {}
    names = _NAMES if len(records) == len(_NAMES) else map(_guess_name, records)
    for name, record in zip(names, records, strict=True):
        if record is None:
            continue
        state = _State(name, record)
        networks[name] = (_read_discriminator if name == "D" else _read_generator)(state, build)
    return networks, 0.0


def _guess_name(record: object) -> str:
    """Which network this is, in a file that holds only one or two: generators have components."""
    components = _state_of("network", record).get("components")
    return "G_ema" if components else "D"


class _State:
    """One network's settings and arrays, those of components named after them, and which arrays are not used yet."""

    def __init__(self, name: str, record: object) -> None:
        self.name = name
        self.arrays: dict[str, ArrayRecord] = {}
        state = _state_of(name, record)
        self.settings = _table(name, state.get("static_kwargs"))
        self._add("", state)
        for component, inner in _table(name, state.get("components")).items():
            if component in ("mapping", "synthesis"):
                self._add(f"{component}/", _state_of(name, inner))
        self.unused = set(self.arrays) - set(_PASSED_OVER)
        for part, what in _STRANGERS.items():
            if any(part in key for key in self.arrays):
                raise RefusedError(f"has a {name} of {what}; {_ONLY}")

    def _add(self, prefix: str, state: Mapping[object, object]) -> None:
        variables = state.get("variables")
        if type(variables) is not list:
            raise RefusedError(f"has a {self.name} without variables; {DAMAGED}")
        for pair in variables:
            if type(pair) not in (tuple, list) or len(pair) != 2 or type(pair[0]) is not str:
                raise RefusedError(f"has a {self.name} with a variable without name; {DAMAGED}")
            value = ArrayRecord.of_number(pair[1]) if type(pair[1]) is float else pair[1]
            if isinstance(value, ArrayRecord):
                self.arrays[prefix + pair[0]] = value

    def shape(self, key: str, num_dimensions: int) -> tuple[int, ...]:
        array = self.arrays.get(key)
        if array is None or len(array.shape) != num_dimensions:
            raise RefusedError(f"has a {self.name} without a usable {shown(key)}; {_ONLY}")
        return array.shape

    def weight(
        self, key: str, axes: tuple[int, ...], *, num_leading: int = 0, change: _Change = lambda x: x
    ) -> Weight:
        """An array without its leading dimensions of 1, after `change`, its axes in the order `axes`."""
        full = self.shape(key, num_leading + len(axes))
        if full[:num_leading] != (1,) * num_leading:
            raise RefusedError(f"has a {self.name} without a usable {shown(key)}; {_ONLY}")
        self.unused.discard(key)
        array, inner = self.arrays[key], full[num_leading:]

        def read() -> Tensor:
            return change(torch.from_numpy(array.read()).reshape(inner)).permute(axes).contiguous()

        return Weight(shape=tuple(inner[axis] for axis in axes), read=read)

    def dense(self, key: str) -> dict[str, Weight]:
        return {"weight": self.weight(f"{key}/weight", (1, 0)), "bias": self.weight(f"{key}/bias", (0,))}

    def conv(self, key: str, *, has_bias: bool = True, is_turned: bool = False) -> dict[str, Weight]:
        change: _Change = (lambda x: x.flip(0, 1)) if is_turned else (lambda x: x)
        found = {"weight": self.weight(f"{key}/weight", (3, 2, 0, 1), change=change)}
        return found | {"bias": self.weight(f"{key}/bias", (0,))} if has_bias else found

    def modulation(self, key: str) -> dict[str, Weight]:
        return {
            "affine.weight": self.weight(f"{key}/mod_weight", (1, 0)),
            "affine.bias": self.weight(f"{key}/mod_bias", (0,), change=lambda x: x + 1),
        }

    def layer(self, key: str, noise: int, *, is_turned: bool = False) -> dict[str, Weight]:
        return {
            **self.conv(key, is_turned=is_turned),
            **self.modulation(key),
            "noise_strength": self.weight(f"{key}/noise_strength", ()),
            "noise_const": self.weight(f"synthesis/noise{noise}", (0, 1), num_leading=2),
        }

    def finish(self) -> None:
        """Refuse a network with arrays that have not been used."""
        for key in sorted(self.unused):
            raise RefusedError(f"has an unknown array {shown(f'{self.name}: {key}')}; {_ONLY}")

    def taps(self) -> list[float]:
        """What the network resamples with."""
        taps = self.settings.get("resample_kernel", [1, 3, 3, 1])
        if not isinstance(taps, list | tuple) or not 0 < len(taps) <= 16:
            raise RefusedError(f"has a resample_kernel that is not a list of numbers; {DAMAGED}")
        if not all(type(tap) in (int, float) and abs(tap) <= _MOST_TAP for tap in taps):
            raise RefusedError(f"has a resample_kernel that is not a list of numbers; {DAMAGED}")
        return list(taps)

    def given(self, *names: str) -> dict[str, object]:
        """Those of its settings that have no shape."""
        return {name: self.settings[name] for name in names if name in self.settings}


def _state_of(name: str, record: object) -> Mapping[object, object]:
    if not isinstance(record, OldNetworkRecord) or record.state is None:
        raise RefusedError(f"has a {name} that is not a network; {DAMAGED}")
    return record.state


def _table(name: str, value: object) -> dict[str, object]:
    if value is None:
        return {}
    if type(value) is not dict or not all(type(key) is str for key in value):
        raise RefusedError(f"has a {name} without settings; {DAMAGED}")
    return value


def _prefixed(prefix: str, weights: Mapping[str, Weight]) -> dict[str, Weight]:
    return {f"{prefix}.{key}": weight for key, weight in weights.items()}


def _label_widths(state: _State, key: str) -> tuple[int, int]:
    """Width of the label and of its embedding, by the layer that embeds it; 0 and 0 without labels."""
    c_dim = state.settings.get("label_size", 0)
    if type(c_dim) is not int:
        raise RefusedError(f"has a {state.name} with a label_size that is not a number; {DAMAGED}")
    widths = state.shape(f"{key}/weight", 2) if f"{key}/weight" in state.arrays else (0, 0)
    if c_dim != widths[0]:
        raise RefusedError(
            f"has a conditional {state.name} whose labels ({c_dim}) and their embedding ({widths[0]}) differ; {_ONLY}"
        )
    return widths[0], widths[1]


def _mapping_arguments(
    state: _State, prefix: str, layer: str, w_dim: int, embed_features: int
) -> tuple[dict[str, object], dict[str, Weight]]:
    """Settings and weights of a mapping network, whose layers are called `prefix`, `layer` and a number."""
    num_layers = sum(f"{prefix}{layer}{n}/weight" in state.arrays for n in range(64))
    arguments: dict[str, object] = {
        "num_layers": num_layers,
        "lr_multiplier": state.settings.get("mapping_lrmul", 0.01),
    }
    if num_layers > 1 and (width := state.shape(f"{prefix}{layer}0/weight", 2)[1]) != w_dim:
        arguments["layer_features"] = width
    if embed_features not in (0, w_dim):
        arguments["embed_features"] = embed_features
    weights: dict[str, Weight] = {}
    if embed_features:
        weights |= _prefixed("mapping.embed", state.dense(f"{prefix}LabelEmbed"))
    for i in range(num_layers):
        weights |= _prefixed(f"mapping.fc{i}", state.dense(f"{prefix}{layer}{i}"))
    return arguments, weights


def _read_generator(state: _State, build: Build) -> Generator:
    c_dim, embed_features = _label_widths(state, "mapping/LabelEmbed")
    sizes = _sizes(state, "synthesis/{0}x{0}/Conv1/weight")
    architecture = _architecture(
        state, "synthesis/{0}x{0}/Skip/weight", "synthesis/{0}x{0}/ToRGB/weight", 4, 8
    )
    last = {res: f"synthesis/{res}x{res}/{'Conv' if res == 4 else 'Conv1'}" for res in sizes}
    widths = {res: state.shape(f"{key}/weight", 4)[3] for res, key in last.items()}
    w_dim = state.shape(f"{last[4]}/mod_weight", 2)[0]
    mapping, weights = _mapping_arguments(state, "mapping/", "Dense", w_dim, embed_features)
    arguments: dict[str, object] = {
        "z_dim": state.shape("mapping/Dense0/weight", 2)[0] - embed_features,
        "c_dim": c_dim,
        "w_dim": w_dim,
        "img_resolution": sizes[-1],
        "img_channels": state.shape(f"synthesis/{sizes[-1]}x{sizes[-1]}/ToRGB/weight", 4)[3],
        "mapping_kwargs": mapping,
        "synthesis_kwargs": {
            **channel_settings(widths),
            **state.given("num_fp16_res", "conv_clamp"),
            "architecture": architecture,
            "resample_filter": state.taps(),
        },
    }
    weights["mapping.w_avg"] = state.weight("dlatent_avg", (0,))
    weights |= _synthesis_weights(state, last, architecture)
    state.finish()
    network = build(state.name, arguments, weights, setup_filter(state.taps()))
    assert isinstance(network, Generator)
    return network


def _synthesis_weights(state: _State, last: Mapping[int, str], architecture: str) -> dict[str, Weight]:
    """Weights of a synthesis network whose last layers, by resolution, are called `last`."""
    weights = {"synthesis.b4.const": state.weight("synthesis/4x4/Const/const", (0, 1, 2), num_leading=1)}
    for n, res in enumerate(last):
        block, theirs = f"synthesis.b{res}", f"synthesis/{res}x{res}"
        weights |= _prefixed(f"{block}.conv1", state.layer(last[res], 2 * n))
        if res > 4:
            layer = state.layer(f"{theirs}/Conv0_up", 2 * n - 1, is_turned=True)
            weights |= _prefixed(f"{block}.conv0", layer)
            if architecture == "resnet":
                weights |= _prefixed(f"{block}.skip", state.conv(f"{theirs}/Skip", has_bias=False))
        if architecture == "skip" or res == max(last):
            rgb = state.conv(f"{theirs}/ToRGB") | state.modulation(f"{theirs}/ToRGB")
            weights |= _prefixed(f"{block}.torgb", rgb)
    return weights


def _read_discriminator(state: _State, build: Build) -> Discriminator:
    c_dim, embed_features = _label_widths(state, "LabelEmbed")
    sizes = _sizes(state, "{0}x{0}/Conv0/weight")
    top = sizes[-1]
    architecture = _architecture(state, "{0}x{0}/Skip/weight", "{0}x{0}/FromRGB/weight", 4, top)
    width_at_4 = state.shape("4x4/Conv/weight", 4)[3]
    widths = {4: width_at_4} | {res: state.shape(f"{res}x{res}/Conv0/weight", 4)[3] for res in sizes[1:]}
    weights: dict[str, Weight] = {}
    conditional: dict[str, object] = {}
    if c_dim:
        cmap_dim = state.shape("Output/weight", 2)[1]
        mapping, weights = _mapping_arguments(state, "", "Mapping", cmap_dim, embed_features)
        conditional = {"cmap_dim": cmap_dim, "mapping_kwargs": mapping}
    arguments: dict[str, object] = {
        "c_dim": c_dim,
        "img_resolution": top,
        "img_channels": state.shape(f"{top}x{top}/FromRGB/weight", 4)[2],
        "architecture": architecture,
        **channel_settings(widths),
        **state.given("num_fp16_res", "conv_clamp"),
        **conditional,
        "block_kwargs": {"resample_filter": state.taps()},
        "epilogue_kwargs": {
            "mbstd_num_channels": state.shape("4x4/Conv/weight", 4)[2] - width_at_4,
            **state.given("mbstd_group_size"),
        },
    }
    for res in sizes:
        theirs = f"{res}x{res}"
        if res == top or architecture == "skip":
            weights |= _prefixed(f"b{res}.fromrgb", state.conv(f"{theirs}/FromRGB"))
        if res > 4:
            weights |= _prefixed(f"b{res}.conv0", state.conv(f"{theirs}/Conv0"))
            weights |= _prefixed(f"b{res}.conv1", state.conv(f"{theirs}/Conv1_down"))
            if architecture == "resnet":
                weights |= _prefixed(f"b{res}.skip", state.conv(f"{theirs}/Skip", has_bias=False))
    weights |= _prefixed("b4.conv", state.conv("4x4/Conv"))
    weights |= _prefixed("b4.fc", state.dense("4x4/Dense0")) | _prefixed("b4.out", state.dense("Output"))
    state.finish()
    network = build("D", arguments, weights, setup_filter(state.taps()))
    assert isinstance(network, Discriminator)
    return network


def _sizes(state: _State, layer: str) -> list[int]:
    """The resolutions of a network, from 4 on, that has an array `layer` at each one above 4."""
    return resolutions(1 + sum(layer.format(4 << n) in state.arrays for n in range(1, 12)))


def _architecture(state: _State, skip: str, rgb: str, rgb_at: int, skip_at: int) -> str:
    """The architecture, told by the layers that exist: shortcuts at `skip_at`, or an image at `rgb_at`."""
    if skip.format(skip_at) in state.arrays:
        return "resnet"
    return "skip" if rgb.format(rgb_at) in state.arrays else "orig"
