"""Describes a network file: its origin, its size, and every layer with its shapes.

Weights are not loaded, so that a file of any size is described at once; only its hash reads all the bytes.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from bend.info.cards import shape_text, weights_text
from bend.info.discriminator_graph import draw_discriminator
from bend.info.drawing import Drawing
from bend.info.figures import table, with_unit
from bend.info.generator_graph import draw_generator
from bend.info.layers import Layer, layers_of, num_weights
from bend.info.report import Information
from stylegan.checkpoint import Network, outline_network
from stylegan.checkpoint.delta import read_reference
from stylegan.digest import file_sha256
from stylegan.discriminator import Discriminator
from stylegan.errors import CheckpointError
from stylegan.generator import Generator
from stylegan.run_names import snapshot_name

__all__ = ["PARTS", "describe_network", "draw_network"]

PARTS = ("G", "D")
"""What can be asked for: the generator, averaged where there is an average, or the discriminator."""
_FORMATS = {
    "bend": "bend network (safetensors)",
    "delta": "delta, bent minus base (safetensors)",
    "official": "official PyTorch pickle",
    "tensorflow": "official TensorFlow pickle",
    "rosinality": "rosinality checkpoint",
}


def describe_network(network: str, part: str | None = None) -> Information:
    """Everything about a network.

    Args:
        network: a name, file, run folder or `RUN@KIMG`.
        part: of `PARTS`; None for all that the file holds.

    Raises:
        CheckpointError: nothing there, no network, or none of that part.
    """
    found = outline_network(network)
    parts = {part: _part(found, part)} if part else _all_parts(found)
    facts = _facts(found)
    lines = [f"{name}: {text}" for name, text in _header(found, facts)]
    record: dict[str, Any] = {"kind": "network", **facts, "networks": {}}
    for module in parts.values():
        name = _name_of(found, module)
        layers = layers_of(module)
        lines += ["", *_lines(name, module, layers)]
        record["networks"][name] = _record(module, layers)
    return Information(lines=tuple(lines), record=record)


def draw_network(network: str, part: str) -> Drawing:
    """The graph of a network; arguments and errors as `describe_network`."""
    found = outline_network(network)
    module = _part(found, part)
    title = f"{_title(found)}: {_name_of(found, module)}"
    return (
        draw_discriminator(module, title)
        if isinstance(module, Discriminator)
        else draw_generator(module, title)
    )


def _part(network: Network, part: str) -> Generator | Discriminator:
    if part == "G":
        return network.generator()
    if network.D is None:
        raise CheckpointError(
            f"{network.path.name}: holds no discriminator; ask for the generator (--part G)"
        )
    return network.D


def _all_parts(network: Network) -> Mapping[str, Generator | Discriminator]:
    has_generator = network.G is not None or network.G_ema is not None
    return {
        **({"G": network.generator()} if has_generator else {}),
        **({"D": network.D} if network.D is not None else {}),
    }


def _name_of(network: Network, module: Generator | Discriminator) -> str:
    return next(name for name, part in network.parts().items() if part is module)


def _title(network: Network) -> str:
    path, kimg = network.path, network.meta.kimg
    is_snapshot = path.name == snapshot_name(kimg)  # called as its run is
    name = path.resolve().parent.name if is_snapshot else path.stem
    return f"{name} at {kimg:g} kimg" if kimg else name


def _facts(network: Network) -> dict[str, Any]:
    return {
        "path": str(network.path),
        "format": network.format,
        "num_bytes": network.path.stat().st_size,
        "sha256": file_sha256(network.path),
        "holds": list(network.parts()),
        "needs": read_reference(network.path).name if network.format == "delta" else "",
        **dataclasses.asdict(network.meta),
    }


def _header(network: Network, facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    meta = network.meta
    known = [
        ("network", str(network.path)),
        ("format", f"{_FORMATS[network.format]}, {with_unit(facts['num_bytes'])}"),
        ("holds", ", ".join(facts["holds"])),
        *([("needs its base", facts["needs"])] if facts["needs"] else []),
        ("sha256", facts["sha256"]),
        ("licence", meta.licence or "unknown"),
    ]
    if network.format in ("bend", "delta"):
        known += [("kimg", f"{meta.kimg:g}"), ("base", meta.base or "unknown")]
        known += [("data", meta.data_name)] if meta.data_name else []
    if meta.augment_p:
        known.append(("augmentation", f"p = {meta.augment_p:.3g}"))
    return known


def _lines(name: str, module: Generator | Discriminator, layers: list[Layer]) -> list[str]:
    rows = [
        [
            layer.tap,
            ", ".join(map(shape_text, layer.inputs)) or "-",
            shape_text(layer.output),
            f"{layer.parameters:,}" if layer.parameters else "-",
            layer.precision or "-",
            layer.detail,
        ]
        for layer in layers
    ]
    total = num_weights(module)
    return [
        f"{name}: {total:,} weights ({weights_text(total)}), {_io(module)}",
        *table(["layer", "in", "out", "weights", "precision", ""], rows, right=(3,)),
    ]


def _io(module: Generator | Discriminator) -> str:
    picture = shape_text((module.img_channels, module.img_resolution, module.img_resolution))
    label = f" and c {shape_text((module.c_dim,))}" if module.c_dim else ""
    if isinstance(module, Discriminator):
        return f"picture {picture}{label} to logit [N, 1]"
    ws = shape_text((module.num_ws, module.w_dim))
    return f"z {shape_text((module.z_dim,))}{label} to ws {ws} to picture {picture}"


def _record(module: Generator | Discriminator, layers: list[Layer]) -> dict[str, Any]:
    return {
        "num_weights": num_weights(module),
        "init": module.init_kwargs,
        "layers": [dataclasses.asdict(layer) for layer in layers],
    }
