"""From the keyword arguments in a network file to a network without weights, within bounds.

A description comes from a stranger. A network has a module for each layer even while no weight is allocated, so that
`num_layers: 1000000000` would hang; and an argument of the wrong type would fail far from the file it came from. The
bounds lie well beyond every known network. Whether the arguments fit one another is left to the networks.
"""

import dataclasses
import reprlib
import sys
from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch

from stylegan.discriminator import Discriminator
from stylegan.generator import Generator
from stylegan.ops.bias_act import ACTIVATIONS
from stylegan.pyramid import ARCHITECTURES, MAX_RESOLUTION

__all__ = ["blank_network"]

_MAX_VALUES = 2**29


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    """What one argument may be."""

    admits: Callable[[object], bool]
    wanted: str
    """In words, for the message."""


_Table: TypeAlias = Mapping[str, "_Rule | _Table"]


def blank_network(kind: str, arguments: Mapping[str, object]) -> Generator | Discriminator:
    """A network on the meta device: its names and shapes, without memory.

    Args:
        kind: `G`, `G_ema` or `D`.
        arguments: as parsed from JSON.

    Raises:
        ValueError: arguments out of bounds, arguments that do not fit one another, or too many weights. One line.
    """
    try:
        _check_arguments(kind, arguments)
        with torch.device("meta"):
            network = Discriminator(**arguments) if kind == "D" else Generator(**arguments)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ValueError(str(error).partition("\n")[0]) from None
    if sum(value.numel() for value in network.state_dict().values()) > _MAX_VALUES:
        raise ValueError(f"more than {_MAX_VALUES} weights")
    return network


def _check_arguments(kind: str, arguments: Mapping[str, object]) -> None:
    """Check the keyword arguments of a network.

    Args:
        kind: `G`, `G_ema` or `D`.
        arguments: as parsed from JSON.

    Raises:
        ValueError: an unknown argument, or one of the wrong type or size; the message names it.
    """
    _check(_DISCRIMINATOR if kind == "D" else _GENERATOR, arguments)


def _check(table: _Table, arguments: Mapping[str, object]) -> None:
    for key, value in arguments.items():
        rule = table.get(key)
        if rule is None:
            raise ValueError(f"unknown argument {reprlib.repr(key)}")
        if isinstance(rule, _Rule):
            if not rule.admits(value):
                raise ValueError(f"{key} is {reprlib.repr(value)}, not {rule.wanted}")
        elif isinstance(value, Mapping):
            _check(rule, value)
        elif value is not None:
            raise ValueError(f"{key} is {reprlib.repr(value)}, not a table of arguments")


def _whole(low: int, high: int) -> _Rule:
    # JSON's true is an int in Python.
    return _Rule(lambda v: type(v) is int and low <= v <= high, f"a whole number from {low} to {high}")


def _number(low: float, high: float) -> _Rule:
    return _Rule(lambda v: _is_finite(v) and low <= v <= high, f"a number from {low:g} to {high:g}")  # type: ignore[operator]


def _one_of(*names: str) -> _Rule:
    return _Rule(lambda v: isinstance(v, str) and v in names, f"one of {', '.join(names)}")


def _or_none(rule: _Rule) -> _Rule:
    return _Rule(lambda v: v is None or rule.admits(v), f"{rule.wanted}, or null")


def _is_finite(value: object) -> bool:
    # A comparison, since `math.isfinite` raises on whole numbers too large for a float.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_vector(value: object) -> bool:
    return isinstance(value, list | tuple) and 0 < len(value) <= _MAX_TAPS and all(map(_is_finite, value))


def _is_filter(value: object) -> bool:
    if _is_vector(value):
        return True
    if not isinstance(value, list | tuple) or not 0 < len(value) <= _MAX_TAPS:
        return False
    return all(map(_is_vector, value)) and len({len(row) for row in value}) == 1


_MAX_TAPS = 64
_FLAG = _Rule(lambda v: isinstance(v, bool), "true or false")
_WIDTH = _whole(1, 1 << 16)
_LABEL_WIDTH = _whole(0, 1 << 16)
_ACTIVATION = _one_of(*ACTIVATIONS)
_FILTER = _or_none(_Rule(_is_filter, f"a list, or a table, of 1 to {_MAX_TAPS} numbers"))
_CHANNELS: _Table = {
    "channel_base": _whole(1, 1 << 24),
    "channel_max": _WIDTH,
    "num_fp16_res": _whole(0, 64),
    "conv_clamp": _or_none(_number(-1e9, 1e9)),
    "architecture": _one_of(*ARCHITECTURES),
}
_MAPPING: _Table = {
    "num_layers": _whole(1, 64),
    "embed_features": _or_none(_WIDTH),
    "layer_features": _or_none(_WIDTH),
    "activation": _ACTIVATION,
    "lr_multiplier": _number(1e-9, 1e9),
    "w_avg_beta": _or_none(_number(0, 1)),
}
_IMAGE: _Table = {"img_resolution": _whole(4, MAX_RESOLUTION), "img_channels": _whole(1, 64)}
_GENERATOR: _Table = {
    **_IMAGE,
    "z_dim": _whole(0, 1 << 16),
    "c_dim": _LABEL_WIDTH,
    "w_dim": _WIDTH,
    "mapping_kwargs": _MAPPING,
    "synthesis_kwargs": {
        **_CHANNELS,
        "resample_filter": _FILTER,
        "activation": _ACTIVATION,
        "use_noise": _FLAG,
        "fp16_channels_last": _FLAG,
    },
}
_DISCRIMINATOR: _Table = {
    **_IMAGE,
    **_CHANNELS,
    "c_dim": _LABEL_WIDTH,
    "cmap_dim": _or_none(_whole(0, 1 << 16)),
    "block_kwargs": {
        "activation": _ACTIVATION,
        "resample_filter": _FILTER,
        "freeze_layers": _whole(0, 64),
        "fp16_channels_last": _FLAG,
    },
    "mapping_kwargs": _MAPPING,
    "epilogue_kwargs": {
        "mbstd_group_size": _or_none(_whole(1, 1 << 16)),
        "mbstd_num_channels": _LABEL_WIDTH,
        "activation": _ACTIVATION,
    },
}
