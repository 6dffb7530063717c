"""Makes the `Provenance` of a work: its settings, its weights, and the hashes of all files that decide its pixels.

Bends, blends, directions and records name their files. The base of a dial, and the snapshots that training time passes
through, are files of the work too, since the hash of the network as it was opened does not cover them.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from bend.automation import parse
from bend.bends.grammar import parse_bends
from bend.blend import parse_blend
from bend.config import INDECISIVE, RenderConfig
from bend.dial.training_time import snapshots_passed
from bend.directions import parse_direction
from bend.errors import about
from bend.provenance import Provenance, weights_sha256
from bend.stores.names import spoken, spoken_values
from stylegan.checkpoint import find_network
from stylegan.digest import file_sha256
from stylegan.precision import precision_of

__all__ = ["describe"]


def describe(
    kind: str,
    config: RenderConfig,
    network: nn.Module,
    command: str | None = None,
    *,
    others: Sequence[str] = (),
    **details: Any,
) -> Provenance:
    """The provenance of a work.

    Args:
        kind: the command that makes it: `images`, `grid`, …
        config: how its pictures are drawn.
        network: the generator.
        command: the command line; None from Python.
        others: names of further networks that are drawn with, besides those in `config`.
        **details: whatever else decides the pixels: JSON values and frozen records.

    Raises:
        SettingsError: a malformed setting, or no such run.
        StyleganError: a network that is not there.
        OSError: a file cannot be read.
    """
    settings = dataclasses.asdict(config) | {"precision": precision_of(network)}  # what `auto` came to
    work: dict[str, Any] = {
        "kind": kind,
        # The network has a field of its own.
        "render": {k: v for k, v in settings.items() if k != "network" and k not in INDECISIVE},
    }
    if inputs := _inputs(config, others, details.values()):
        work["inputs"] = {name: file_sha256(path) for name, path in inputs.items()}
    for name, value in details.items():
        is_record = dataclasses.is_dataclass(value) and not isinstance(value, type)
        work[name] = dataclasses.asdict(value) if is_record else value
    return Provenance(
        work=spoken_values(work),
        network=spoken(config.network),
        network_sha256=weights_sha256(network),
        command=command,
    )


def _inputs(config: RenderConfig, others: Iterable[str], details: Iterable[Any]) -> dict[str, Path]:
    """The files, besides the network's own, that decide the pixels; by the names that were typed."""
    named = [*config.latents]
    for text in config.direction:
        with about(f"--direction {text}"):
            named += parse_direction(text).files
    for text in config.blend:
        with about(f"--blend {text}"):
            named += parse_blend(text).files
    for one in (*parse_bends(config.bend), *details):
        named += getattr(one, "files", ())
    if config.kimg is not None:
        named += map(str, snapshots_passed(config.network, parse(config.kimg)))
    networks = [*others] if config.dial_from is None else [config.dial_from, *others]
    return {name: Path(name) for name in named} | {name: find_network(name) for name in networks}
