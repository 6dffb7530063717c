"""Taps: the places in a generator where a signal can be listened to, or replaced, while it flows.

    b4.const             the learned constant, as it enters the first convolution          [N, C, 4, 4]
    b32.conv0            a convolution's output: after noise, bias and activation          [N, C, H, W]
    b32.conv0.affine     its style (also written `.style`)                                 [N, C]
    b32.conv0.noise      the strength of its noise, one number: a parameter                []
    b32.conv0.bias       its bias: a parameter                                             [C]
    b32.torgb            what a resolution adds to the image; `.affine`, `.bias` as above  [N, img_channels, H, W]
    b32.image            the image so far: the skip sum                                    [N, img_channels, H, W]
    ws                   the intermediate latents that enter the synthesis                 [N, num_ws, w_dim]
    mapping.fc0          a layer of the mapping network                                    [N, C]

Network bending (Broad, Leymarie & Grierson, arXiv 2005.12420) inserts its transforms at such places. Signals are
reached by forward hooks, so that a network without any runs the code it always ran; where a signal is not a module's
output, the generator has a `TapPoint` there. This module knows names and places only, not what is done to a signal.
"""

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from stylegan.errors import ConfigError
from stylegan.generator import Generator

__all__ = ["Tap", "find_taps", "hang", "parameter_of", "taps"]

KINDS = ("const", "conv", "affine", "noise", "bias", "torgb", "image", "ws", "mapping")
PARAMETERS = {"noise": "noise_strength", "bias": "bias"}
"""Kinds that are parameters rather than signals, and the name of the parameter in its layer."""
_SPATIAL = ("const", "conv", "torgb", "image")
_WILD = re.compile(r"[*?\[]")
_BY_WILDCARD = ("conv", "mapping")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """A place in a generator.

    Attributes:
        name: as in the module's table.
        kind: one of `KINDS`.
        path: of the module whose output it is, or that has the parameter.
        channels: of the signal; the width of w for `ws`, 1 for `noise`.
        resolution: of the signal, None where it has no height and width.
    """

    name: str
    kind: str
    path: str
    channels: int
    resolution: int | None

    @property
    def is_parameter(self) -> bool:
        """Whether it is a parameter: the same for every picture, and there before any signal flows."""
        return self.kind in PARAMETERS


def taps(G: Generator) -> dict[str, Tap]:
    """All taps of a generator by name, in the order in which a picture passes them."""
    found = [*_mapping_taps(G), _tap("ws", "ws", "synthesis.tap_ws", G.w_dim)]
    for block in G.synthesis.blocks():
        path, name, resolution = f"synthesis.b{block.resolution}", f"b{block.resolution}", block.resolution
        if block.in_channels == 0:
            found.append(
                _tap(f"{name}.const", "const", f"{path}.tap_const", block.const.shape[0], resolution)
            )
        for layer_name, kind in (("conv0", "conv"), ("conv1", "conv"), ("torgb", "torgb")):
            layer = getattr(block, layer_name, None)
            if layer is not None:
                found += _layer_taps(layer, f"{name}.{layer_name}", f"{path}.{layer_name}", kind, resolution)
        if block.num_torgb:
            found.append(_tap(f"{name}.image", "image", f"{path}.tap_image", block.img_channels, resolution))
    return {tap.name: tap for tap in found}


def find_taps(G: Generator, pattern: str) -> list[Tap]:
    """The taps that a pattern names, in the order in which a picture passes them.

    Args:
        G: the generator.
        pattern: names joined by commas, in which `*` and `?` stand for anything between dots: `b32.conv1`,
            `b16.conv?.affine`. A `*` in the first place stands for whatever comes before: `*.torgb`, `*.noise`. A
            wildcard in the last place stands for convolutions (or layers of the mapping network): `b16.*` is
            `b16.conv0` and `b16.conv1`, and `*` every convolution.

    Raises:
        ConfigError: nothing of that name; says the nearest.
    """
    known = taps(G)
    chosen: set[str] = set()
    for part in pattern.split(","):
        wanted = _canonical(part)
        matches = [tap.name for tap in known.values() if _matches(tap, wanted)]
        if not matches:
            near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.0)
            raise ConfigError(f"{part.strip()!r} is not a place in this network; the nearest is {near[0]}")
        chosen.update(matches)
    return [tap for tap in known.values() if tap.name in chosen]


def hang(G: Generator, tap: Tap, function: Callable[[Tensor], Tensor]) -> RemovableHandle:
    """Have `function` replace the signal at a tap until the handle is removed; several are applied in order.

    Args:
        G: the generator.
        tap: of `taps(G)`, not a parameter.
        function: given the signal, shaped as in the module's table, returns what takes its place.
    """
    assert not tap.is_parameter, tap

    def hook(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        return function(output)

    return G.get_submodule(tap.path).register_forward_hook(hook)


def parameter_of(G: Generator, tap: Tap) -> nn.Parameter:
    """The parameter that a tap of kind `noise` or `bias` is."""
    return G.get_parameter(f"{tap.path}.{PARAMETERS[tap.kind]}")


def _mapping_taps(G: Generator) -> Iterator[Tap]:
    names = ["embed"] if G.mapping.c_dim > 0 else []
    for name in [*names, *(f"fc{i}" for i in range(G.mapping.num_layers))]:
        path = f"mapping.{name}"
        yield _tap(path, "mapping", path, G.get_parameter(f"{path}.weight").shape[0])


def _layer_taps(layer: nn.Module, name: str, path: str, kind: str, resolution: int) -> Iterator[Tap]:
    out_channels, in_channels = layer.get_parameter("weight").shape[:2]
    yield _tap(f"{name}.affine", "affine", f"{path}.affine", in_channels)
    if hasattr(layer, "noise_strength"):
        yield _tap(f"{name}.noise", "noise", path, 1)
    yield _tap(f"{name}.bias", "bias", path, out_channels)
    yield _tap(name, kind, path, out_channels, resolution)


def _tap(name: str, kind: str, path: str, channels: int, resolution: int | None = None) -> Tap:
    assert resolution is None or kind in _SPATIAL
    return Tap(name=name, kind=kind, path=path, channels=channels, resolution=resolution)


def _canonical(pattern: str) -> str:
    pattern = pattern.strip().removeprefix("synthesis.")
    return f"{pattern.removesuffix('.style')}.affine" if pattern.endswith(".style") else pattern


def _matches(tap: Tap, pattern: str) -> bool:
    if pattern == "*":
        return tap.kind == "conv"
    name, wanted = tap.name.split("."), pattern.split(".")
    if wanted[0] == "*" and len(wanted) > 1:
        wanted = ["*"] * (len(name) - len(wanted) + 1) + wanted[1:]
    if len(name) != len(wanted) or (_WILD.search(wanted[-1]) and tap.kind not in _BY_WILDCARD):
        return False
    return all(fnmatch.fnmatchcase(part, glob) for part, glob in zip(name, wanted, strict=True))
