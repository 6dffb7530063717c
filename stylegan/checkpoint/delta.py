"""The delta file: a bent network minus the network it was bent from, in half precision layer by layer.

The file is small and does not contain the base's weights, so that it may be passed on where the base may not. Each
layer is stored as float16 times a power of two of its own, so that small differences keep eleven bits; a layer that did
not change is left out. The base is identified by the fingerprint of its weights, and only that very network is
accepted. A network that the base lacks (a discriminator, say) is stored whole, in the same half precision. `bases`
finds the base.
"""

import dataclasses
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stylegan.checkpoint.container import open_container, peek_format, write_container
from stylegan.checkpoint.fingerprint import fingerprint, fingerprints
from stylegan.checkpoint.native import (
    DELTA_FORMAT,
    Network,
    NetworkMeta,
    build_network,
    check_savable,
    make_metadata,
    parse_metadata,
)
from stylegan.discriminator import Discriminator
from stylegan.errors import BaseMismatchError, CheckpointError
from stylegan.generator import Generator

__all__ = [
    "BaseReference",
    "DeltaBase",
    "is_delta",
    "load_delta",
    "outline_delta",
    "read_reference",
    "save_delta",
]

_EXPONENTS = "exponents"
_TOP_EXPONENT = 14  # the largest difference of a layer becomes 2**14 to 2**15, just below float16's limit
_EXPONENT_RANGE = (-126, 127)
_STANDS_IN = {"G": ("G", "G_ema"), "G_ema": ("G_ema", "G"), "D": ("D",)}
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeltaBase:
    """The network that differences are taken from; hashed once, for any number of deltas."""

    network: Network
    """The base."""
    name: str
    """What others call it: an embedded or known name, or a file's name without folders."""
    path: Path | None = None
    """Where it lies, to be recorded relative to the delta; None for a file that is to be shared."""
    hashes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Fingerprints of its networks, computed if left out."""

    def __post_init__(self) -> None:
        if not self.hashes:
            object.__setattr__(self, "hashes", fingerprints(self.network))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BaseReference:
    """What a delta file says about its base."""

    name: str
    """An embedded or known name, or a file's name."""
    path: str
    """Where it lay, relative to the delta's folder; empty where that was not recorded."""
    against: Mapping[str, str]
    """By network of the delta, the network of the base that was subtracted from it; empty for one stored whole."""
    hashes: Mapping[str, str]
    """Fingerprints of those networks of the base."""

    def __post_init__(self) -> None:
        if not all(isinstance(text, str) for text in (self.name, self.path)):
            raise ValueError("name and path must be text")
        if not all(name in _STANDS_IN and of in ("", *_STANDS_IN[name]) for name, of in self.against.items()):
            raise ValueError("against must name networks")
        if set(self.hashes) != {of for of in self.against.values() if of}:
            raise ValueError("there must be a hash for each network of the base")
        if not all(isinstance(text, str) and _HASH.fullmatch(text) for text in self.hashes.values()):
            raise ValueError("hashes must be SHA-256 in hexadecimal")

    def matches(self, base: Network) -> bool:
        """Whether `base` is the network that the delta was taken from."""
        parts = base.parts()
        return all(
            name in parts and fingerprint(parts[name]) == wanted for name, wanted in self.hashes.items()
        )


def save_delta(
    path: str | os.PathLike[str],
    *,
    base: DeltaBase,
    G: Generator | None = None,
    D: Discriminator | None = None,
    G_ema: Generator | None = None,
    meta: NetworkMeta | None = None,
    replace: bool = True,
) -> None:
    """Write the difference of networks from `base`, whole or not at all.

    Args:
        path: final name, best one that ends in `.safetensors`; its folder is created.
        base: what the networks were bent from; its G stands in for an absent G_ema, and vice versa.
        G: raw generator.
        D: discriminator.
        G_ema: averaged generator.
        meta: description of the bent networks.
        replace: whether to replace a file that exists by then.

    Raises:
        ValueError: no network given, or one that could not be read back (`check_savable`).
        CheckpointError: another architecture than the base's, a weight that is not finite, or the base's own file.
        FileExistsError: there is a file, and it is not to be replaced.
        OSError: the file cannot be written, or the disk is full.
    """
    final = Path(path)
    given: dict[str, Generator | Discriminator | None] = {"G": G, "D": D, "G_ema": G_ema}
    networks = {name: network for name, network in given.items() if network is not None}
    if not networks:
        raise ValueError("no network to save")
    if final.exists() and base.network.path.exists() and final.samefile(base.network.path):
        raise CheckpointError(
            f"{final}: is the base, without which the delta is nothing; choose another name"
        )
    parts = base.network.parts()
    against: dict[str, str] = {}
    tensors: dict[str, Tensor] = {}
    exponents: dict[str, int] = {}
    for name, network in networks.items():
        check_savable(name, network)
        against[name] = next((of for of in _STANDS_IN[name] if of in parts), "")
        for key, difference in _differences(final, name, network, parts.get(against[name])):
            tensors[f"{name}.{key}"], exponents[f"{name}.{key}"] = _halve(difference)
    powers = [exponents[key] for key in sorted(exponents)]
    tensors[_EXPONENTS] = torch.tensor(powers, dtype=torch.int16, device="cpu")
    reference = BaseReference(
        name=base.name,
        path="" if base.path is None else _relative(base.path, final.parent),
        against=against,
        hashes={of: base.hashes[of] for of in against.values() if of},
    )
    init = {name: network.init_kwargs for name, network in networks.items()}
    metadata = make_metadata(init, meta, DELTA_FORMAT)
    metadata["base"] = json.dumps(dataclasses.asdict(reference), sort_keys=True)
    write_container(final, tensors, metadata, replace=replace)


def is_delta(path: Path) -> bool:
    """Whether a file is a delta, and so needs its base to be read."""
    return peek_format(path) == DELTA_FORMAT


def read_reference(path: Path) -> BaseReference:
    """What a delta file says about its base.

    Raises:
        CheckpointError: not a delta file, or a damaged one.
    """
    with open_container(path) as file:
        metadata = file.metadata()
        init, _ = parse_metadata(path, metadata, DELTA_FORMAT)
    try:
        record = json.loads(metadata["base"])
        reference = BaseReference(**{key: record[key] for key in ("name", "path", "against", "hashes")})
        if set(reference.against) != set(init):
            raise ValueError("against must name the networks of the file")
    except (KeyError, TypeError, AttributeError, RecursionError, ValueError):
        raise CheckpointError(
            f"{path.name}: what it says about its base is damaged; copy or download the file again"
        ) from None
    return reference


def load_delta(path: Path, base: Network) -> Network:
    """Read a delta file and add it to its base.

    Args:
        path: the file.
        base: the network it was taken from; it is left as it is.

    Returns:
        The bent networks in evaluation mode, float32 on the CPU, sharing no memory with the base.

    Raises:
        BaseMismatchError: `base` is another network than it was taken from.
        CheckpointError: not a delta file, or a damaged one.
    """
    reference = read_reference(path)
    if not reference.matches(base):
        raise BaseMismatchError(
            f"{path.name}: was taken from {reference.name}, and {base.path.name} is another network; "
            "put the right one beside the delta, or name it in BEND_BASE"
        )
    with open_container(path) as file:
        init, meta = parse_metadata(path, file.metadata(), DELTA_FORMAT)
        blanks = {name: build_network(path, name, kwargs) for name, kwargs in init.items()}
        exponents = _read_exponents(path, file, blanks)
        networks: dict[str, Any] = {}
        for name, blank in blanks.items():
            start = _start(path, name, blank, base.parts().get(reference.against[name]))
            for key, value in start.items():
                if (exponent := exponents.get(f"{name}.{key}")) is not None:
                    start[key] = _add(path, file, f"{name}.{key}", value, exponent)
            blank.load_state_dict(start, strict=True, assign=True)
            networks[name] = blank.eval().requires_grad_(False)
    return Network(**networks, meta=meta, path=path, format="delta")


def outline_delta(path: Path) -> Network:
    """What a delta file describes, without weights and without its base: networks on the meta device.

    Raises:
        CheckpointError: not a delta file, or a damaged one.
    """
    with open_container(path) as file:
        init, meta = parse_metadata(path, file.metadata(), DELTA_FORMAT)
        blanks = {name: build_network(path, name, kwargs) for name, kwargs in init.items()}
        _read_exponents(path, file, blanks)
    networks: dict[str, Any] = {name: blank.eval().requires_grad_(False) for name, blank in blanks.items()}
    return Network(**networks, meta=meta, path=path, format="delta")


def _differences(
    path: Path, name: str, network: nn.Module, base: nn.Module | None
) -> list[tuple[str, Tensor]]:
    """What changed: (state-dict key, float32 difference) in order."""
    state = network.state_dict()
    start = {} if base is None else base.state_dict()
    if base is not None and {k: v.shape for k, v in state.items()} != {k: v.shape for k, v in start.items()}:
        raise CheckpointError(
            f"{path.name}: {name} has another architecture than the base; a delta needs the network it was bent from"
        )
    changed = []
    for key, value in sorted(state.items()):
        difference = value.detach().to("cpu", torch.float32)
        if base is not None:
            difference = difference - start[key].detach().to("cpu", torch.float32)
        if not torch.isfinite(difference).all():
            raise CheckpointError(f"{path.name}: {name}.{key} has values that are not finite; not saved")
        if difference.count_nonzero():
            changed.append((key, difference))
    return changed


def _halve(difference: Tensor) -> tuple[Tensor, int]:
    """A float16 tensor and the power of two that it is to be multiplied by."""
    _, exponent = math.frexp(difference.abs().max().item())
    low, high = _EXPONENT_RANGE
    power = min(max(exponent - 1 - _TOP_EXPONENT, low), high)
    return (difference * 2.0**-power).to(torch.float16).contiguous(), power


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return ""


def _read_exponents(path: Path, file: Any, blanks: Mapping[str, nn.Module]) -> dict[str, int]:
    """The powers of two by tensor, having checked that the tensors are those of the networks."""
    shapes = {
        f"{name}.{key}": list(value.shape)
        for name, blank in blanks.items()
        for key, value in blank.state_dict().items()
    }
    stored = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
    table = stored.pop(_EXPONENTS, None)
    keys = sorted(stored)
    damaged = CheckpointError(f"{path.name}: not a sound delta file; copy or download it again")
    if any(stored[key].get_shape() != shapes.get(key) or stored[key].get_dtype() != "F16" for key in keys):
        raise damaged
    if table is None or table.get_dtype() != "I16" or table.get_shape() != [len(keys)]:
        raise damaged
    exponents = file.get_tensor(_EXPONENTS).tolist()
    low, high = _EXPONENT_RANGE
    if not all(low <= exponent <= high for exponent in exponents):
        raise damaged
    return dict(zip(keys, exponents, strict=True))


def _start(path: Path, name: str, blank: nn.Module, base: nn.Module | None) -> dict[str, Tensor]:
    """The base's state as a copy, or zeros where the base has no such network."""
    shapes = {key: value.shape for key, value in blank.state_dict().items()}
    if base is None:
        return {key: torch.zeros(shape, dtype=torch.float32, device="cpu") for key, shape in shapes.items()}
    state = {
        key: value.detach().to("cpu", torch.float32, copy=True) for key, value in base.state_dict().items()
    }
    if {key: value.shape for key, value in state.items()} != shapes:
        raise CheckpointError(
            f"{path.name}: {name} has another architecture than its base; copy or download the file again"
        )
    return state


def _add(path: Path, file: Any, key: str, value: Tensor, exponent: int) -> Tensor:
    value += file.get_tensor(key).to(torch.float32) * 2.0**exponent
    if not torch.isfinite(value).all():
        raise CheckpointError(f"{path.name}: {key} has values that are not finite; use another file")
    return value
