"""Our own network file: safetensors with the tensors of G, D and G_ema, and a description in its metadata.

Tensors are named `G.<key>`, `D.<key>`, `G_ema.<key>` with the official state-dict keys. The metadata holds the
keyword arguments that rebuild the networks. Nothing in the file can run code, and nothing is allocated before these
arguments have been checked (`description`) and the tensors compared with the network that they describe.
"""

import dataclasses
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stylegan.checkpoint.container import open_container, read_tensor, write_container
from stylegan.checkpoint.description import blank_network
from stylegan.discriminator import Discriminator
from stylegan.errors import CheckpointError
from stylegan.generator import Generator

__all__ = [
    "DELTA_FORMAT",
    "FORMAT",
    "Network",
    "NetworkMeta",
    "build_network",
    "check_savable",
    "load_native",
    "make_metadata",
    "parse_metadata",
    "read_meta",
    "save_network",
]

FORMAT = "bend-network"
DELTA_FORMAT = "bend-delta"
FORMAT_VERSION = 1
_STORED_DTYPES = ("F32", "F16", "BF16", "F64")
_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkMeta:
    """What a network file says about itself."""

    kimg: float = 0.0
    """Thousands of real images seen in the training that wrote the file."""
    augment_p: float = 0.0
    """Augmentation probability at that moment, 0 to 1."""
    base: str = ""
    """What the training started from: a name or file, or `none`."""
    data_name: str = ""
    """Name of the data set."""
    data_hash: str = ""
    """SHA-256 of the data set's directory, hexadecimal."""
    licence: str = ""
    """Licence of the weights."""
    seed: int = 0
    """Seed of the training."""
    bend: str = ""
    """The bends that were active in the generator throughout the training, a line each."""

    def __post_init__(self) -> None:
        for name, high in (("kimg", sys.float_info.max), ("augment_p", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{name} must be a number, not {value!r}")
            if not 0 <= value <= high:
                raise ValueError(f"{name} must be from 0 to {high:g}, not {value!r}")
        for name in ("base", "data_name", "data_hash", "licence", "bend"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} must be text, not {getattr(self, name)!r}")
        if type(self.seed) is not int:
            raise ValueError(f"seed must be a whole number, not {self.seed!r}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The networks of one file, in evaluation mode, float32 on the CPU; None where the file lacks one."""

    G: Generator | None = None
    D: Discriminator | None = None
    G_ema: Generator | None = None
    meta: NetworkMeta
    path: Path
    """The file they came from."""
    format: str = "bend"
    """What kind of file that is: `bend`, `delta`, `official`, `tensorflow` or `rosinality`."""

    def parts(self) -> dict[str, Generator | Discriminator]:
        """The networks that the file has, by name: `G`, `D`, `G_ema`."""
        parts = {"G": self.G, "D": self.D, "G_ema": self.G_ema}
        return {name: part for name, part in parts.items() if part is not None}

    def generator(self, weights: str = "ema") -> Generator:
        """`G_ema` (weights `ema`) or `G` (weights `raw`), each standing in where the other is absent.

        Raises:
            ValueError: other weights.
            CheckpointError: the file has neither.
        """
        if weights not in ("ema", "raw"):
            raise ValueError(f"unknown weights {weights!r}; known: ema, raw")
        pair = (self.G_ema, self.G) if weights == "ema" else (self.G, self.G_ema)
        chosen = pair[0] if pair[0] is not None else pair[1]
        if chosen is None:
            raise CheckpointError(f"{self.path.name}: holds no generator; pass a file that has G or G_ema")
        return chosen


def save_network(
    path: str | os.PathLike[str],
    *,
    G: Generator | None = None,
    D: Discriminator | None = None,
    G_ema: Generator | None = None,
    meta: NetworkMeta | None = None,
    dtype: torch.dtype | None = None,
    replace: bool = True,
) -> None:
    """Write networks to a `.safetensors` file, whole or not at all.

    Args:
        path: final name; its folder is created.
        G: raw generator.
        D: discriminator.
        G_ema: averaged generator.
        meta: description.
        dtype: what tensors are stored as, one of float16, bfloat16, float32 and float64; their own dtype if None.
        replace: whether to replace a file that exists by then.

    Raises:
        ValueError: no network given, one that could not be read back (`check_savable`), or another dtype.
        CheckpointError: a weight is not finite.
        FileExistsError: there is a file, and it is not to be replaced.
        OSError: the file cannot be written, or the disk is full.
    """
    if G is None and D is None and G_ema is None:
        raise ValueError("no network to save")
    if dtype is not None and dtype not in _DTYPES:
        raise ValueError(f"cannot store weights as {dtype}; known: {', '.join(map(str, _DTYPES))}")
    networks: dict[str, Generator | Discriminator | None] = {"G": G, "D": D, "G_ema": G_ema}
    tensors: dict[str, Tensor] = {}
    seen: set[int] = set()
    init: dict[str, Any] = {}
    for prefix, network in networks.items():
        if network is None:
            continue
        check_savable(prefix, network)
        init[prefix] = network.init_kwargs
        for key, value in network.state_dict().items():
            stored = value.detach().to("cpu", dtype).contiguous()
            if not torch.isfinite(stored).all():
                raise CheckpointError(
                    f"{Path(path).name}: {prefix}.{key} has values that are not finite; not saved"
                )
            # The format knows no shared tensors, and one network may be given under two names.
            tensors[f"{prefix}.{key}"] = stored.clone() if stored.data_ptr() in seen else stored
            seen.add(stored.data_ptr())
    write_container(Path(path), tensors, make_metadata(init, meta), replace=replace)


def check_savable(name: str, network: Generator | Discriminator) -> None:
    """Refuse a network that a file could not give back: a file holds arguments, and the weights of what they build.

    Args:
        name: `G`, `G_ema` or `D`.
        network: what is to be saved.

    Raises:
        ValueError: arguments beyond what is read back (`description`), other tensors than they build, or no weights.
    """
    arguments = getattr(network, "init_kwargs", None)
    if arguments is None:
        raise ValueError(f"{name} is a {type(network).__name__}, not a network; take off what wraps it")
    described = _shapes(name, blank_network(name, arguments))
    if difference := _difference(described, _shapes(name, network)):
        raise ValueError(
            f"{name} could not be read back: {difference}; take off torch.compile, pruning and the like"
        )
    if any(value.is_meta for value in network.state_dict().values()):
        raise ValueError(f"{name} is an outline, without weights; use `load_network`")


def read_meta(path: str | os.PathLike[str]) -> NetworkMeta:
    """The description in a network or delta file, without its tensors.

    Raises:
        CheckpointError: not a network file of ours.
    """
    with open_container(Path(path)) as file:
        metadata = file.metadata() or {}
        is_delta = metadata.get("format") == DELTA_FORMAT
        return parse_metadata(Path(path), metadata, DELTA_FORMAT if is_delta else FORMAT)[1]


def load_native(path: Path, *, with_weights: bool = True) -> Network:
    """Read a file written by `save_network`.

    Args:
        path: the file.
        with_weights: read the weights; False leaves the networks on the meta device, names and shapes compared.

    Raises:
        CheckpointError: not a network file of ours, or one whose tensors do not fit its own description.
    """
    with open_container(path) as file:
        init, meta = parse_metadata(path, file.metadata())
        slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
        _check_tensors(path, init, slices)
        networks: dict[str, Any] = {}
        for prefix, kwargs in init.items():
            network = build_network(path, prefix, kwargs)
            _compare(path, prefix, network, slices)
            if with_weights:
                state = {key: read_tensor(path, file, f"{prefix}.{key}") for key in network.state_dict()}
                network.load_state_dict(state, strict=True, assign=True)
            networks[prefix] = network.eval().requires_grad_(False)
    return Network(**networks, meta=meta, path=path)


def make_metadata(
    init: Mapping[str, Any], meta: NetworkMeta | None, file_format: str = FORMAT
) -> dict[str, str]:
    """The metadata of a file whose networks `init` rebuilds."""
    return {
        "format": file_format,
        "format_version": str(FORMAT_VERSION),
        "init": json.dumps(init),
        "meta": json.dumps(dataclasses.asdict(meta or NetworkMeta())),
    }


def parse_metadata(
    path: Path, metadata: Mapping[str, str] | None, file_format: str = FORMAT
) -> tuple[dict[str, Any], NetworkMeta]:
    """The keyword arguments of a file's networks by name, and its description.

    Raises:
        CheckpointError: a file of another format or of a later version, or a damaged one.
    """
    if not metadata or metadata.get("format") != file_format:
        raise CheckpointError(
            f"{path.name}: a safetensors file, but not a network of ours; pass a bend snapshot"
        )
    version = metadata.get("format_version", "")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", version):
        raise CheckpointError(f"{path.name}: has no valid format version; copy or download the file again")
    if int(version) > FORMAT_VERSION:
        raise CheckpointError(
            f"{path.name}: format version {version!r} is newer than this bend reads ({FORMAT_VERSION}); update bend"
        )
    try:
        init, meta = json.loads(metadata["init"]), json.loads(metadata["meta"])
        known = {field.name: field.type for field in dataclasses.fields(NetworkMeta)}
        parsed = NetworkMeta(**{k: v for k, v in meta.items() if k in known})
        if not isinstance(init, dict) or not init or not set(init) <= {"G", "D", "G_ema"}:
            raise TypeError("init")
        if not all(isinstance(kwargs, dict) for kwargs in init.values()):
            raise TypeError("init")
    except (KeyError, TypeError, AttributeError, RecursionError, ValueError):
        raise CheckpointError(
            f"{path.name}: its description is damaged; copy or download the file again"
        ) from None
    return init, parsed


def build_network(path: Path, prefix: str, kwargs: Mapping[str, Any]) -> Generator | Discriminator:
    """The network that a file describes, on the meta device.

    Raises:
        CheckpointError: it cannot be built.
    """
    try:
        return blank_network(prefix, kwargs)
    except ValueError as error:
        raise CheckpointError(
            f"{path.name}: {prefix} cannot be built from its description ({error})"
        ) from None


def _check_tensors(path: Path, init: Mapping[str, Any], slices: Mapping[str, Any]) -> None:
    """Every tensor belongs to a network of the description and is of a kind that weights are."""
    for key, tensor in slices.items():
        if key.partition(".")[0] not in init:
            raise CheckpointError(
                f"{path.name}: has an unknown tensor {key!r:.80}; copy or download the file again"
            )
        if tensor.get_dtype() not in _STORED_DTYPES:
            raise CheckpointError(
                f"{path.name}: tensor {key!r:.80} has type {tensor.get_dtype()}; pass a bend snapshot"
            )


def _compare(path: Path, prefix: str, network: nn.Module, slices: Mapping[str, Any]) -> None:
    """The file has exactly the network's tensors, in its shapes."""
    found = {key: tuple(x.get_shape()) for key, x in slices.items() if key.startswith(f"{prefix}.")}
    if difference := _difference(_shapes(prefix, network), found):
        raise CheckpointError(f"{path.name}: {difference}; copy or download the file again")


def _shapes(prefix: str, network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {f"{prefix}.{key}": tuple(value.shape) for key, value in network.state_dict().items()}


def _difference(described: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> str | None:
    """How the first tensor that is not as described differs; None where all are."""
    for key in sorted(described.keys() ^ found.keys()):
        return f"{'lacks' if key in described else 'has an unknown'} tensor {key!r:.80}"
    for key, shape in described.items():
        if found[key] != shape:
            return f"tensor {key} is {found[key]}, its description says {shape}"
    return None
