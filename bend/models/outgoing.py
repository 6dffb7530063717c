"""Rewrites a network: in another format, without parts that are not needed, or as a delta from its base."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

from bend.errors import ModelError, none_made_meanwhile
from stylegan.checkpoint import DeltaBase, Network, find_network, load_network, save_delta, save_network
from stylegan.checkpoint.export import export_network, written_files
from stylegan.checkpoint.known import KNOWN
from stylegan.checkpoint.load import EMBEDDED

__all__ = ["Order", "Written", "write"]

_OURS = ".safetensors"
_GRAPHS = ".onnx"  # always holds the averaged generator alone


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be written."""

    source: str
    """What `load_network` takes."""
    output: Path
    """Final name; its ending says the format."""
    base: str | None = None
    """Base of a source that is a delta, if it is not to be found by itself."""
    weights: str = "all"
    """`all` that the source has, or `ema`: the averaged generator alone."""
    half: bool = False
    """Store float16; our own format only."""
    delta_from: str | None = None
    """Store the difference from this network; our own format only."""
    force: bool = False
    """Write over what is there."""

    def __post_init__(self) -> None:
        if self.weights not in ("all", "ema"):
            raise ModelError(f"weights {self.weights!r} are unknown; choose from all, ema")
        is_ours = self.output.suffix.lower() == _OURS
        if (self.half or self.delta_from is not None) and not is_ours:
            wanted = "half precision" if self.half else "a delta"
            raise ModelError(f"{self.output.name}: {wanted} is stored in {_OURS} only; name the file so")
        if self.half and self.delta_from is not None:
            raise ModelError("a delta is in half precision anyway; leave out --half")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written."""

    files: tuple[Path, ...]
    """The files."""
    num_bytes: int
    """Their size in all."""
    networks: tuple[str, ...]
    """`G`, `D`, `G_ema`, as far as the source had them and the order wanted them."""
    notes: tuple[str, ...]
    """What the format cannot hold, or what had to be made up, a line each."""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**dataclasses.asdict(self), "files": [str(path) for path in self.files]}


def write(order: Order) -> Written:
    """Read the source and write it as ordered, whole or not at all.

    Raises:
        ModelError: something is there already.
        RenderError: something has come to be there meanwhile.
        CheckpointError: the source cannot be read, or the format cannot hold it.
        OSError: a file cannot be written.
    """
    files = written_files(order.output)
    if not order.force and (there := next((path for path in files if path.exists()), None)):
        raise ModelError(f"{there}: exists already; pass --force to overwrite it, or another name")
    network = load_network(order.source, base=order.base)
    if order.weights == "ema" or order.output.suffix.lower() == _GRAPHS:
        network = dataclasses.replace(network, G=None, D=None, G_ema=network.generator())
    with none_made_meanwhile(*files):
        notes = _write(order, network)
    return Written(
        files=files,
        num_bytes=sum(path.stat().st_size for path in files),
        networks=tuple(network.parts()),
        notes=tuple(notes),
    )


def _write(order: Order, network: Network) -> list[str]:
    if order.delta_from is not None:
        return _write_delta(order, network, order.delta_from)
    if not order.half:
        return export_network(order.output, network, replace=order.force)
    save_network(
        order.output,
        G=network.G,
        D=network.D,
        G_ema=network.G_ema,
        meta=network.meta,
        dtype=torch.float16,
        replace=order.force,
    )
    return ["stored in half precision: weights are rounded to eleven bits"]


def _write_delta(order: Order, network: Network, delta_from: str) -> list[str]:
    found = find_network(delta_from)
    name = delta_from if delta_from in EMBEDDED or delta_from in KNOWN else found.name
    base = DeltaBase(network=load_network(delta_from), name=name)
    save_delta(
        order.output,
        base=base,
        G=network.G,
        D=network.D,
        G_ema=network.G_ema,
        meta=network.meta,
        replace=order.force,
    )
    notes = [f"half precision, difference by difference; opening it needs {name}"]
    if network.D is not None and base.network.D is None:
        notes.append(f"{name} has no discriminator: that of the bent network is stored whole")
    return notes
