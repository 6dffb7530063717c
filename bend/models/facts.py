"""Describes a network file: format, architecture, training, checksums, and what unpickling it elsewhere would run."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stylegan.checkpoint import Network, NetworkMeta, find_network, is_delta, load_network, outline_network
from stylegan.checkpoint.delta import read_reference
from stylegan.checkpoint.executed import Executed, find_executed
from stylegan.checkpoint.fingerprint import fingerprints
from stylegan.checkpoint.legacy import is_legacy
from stylegan.digest import file_sha256
from stylegan.errors import CheckpointError

__all__ = ["Facts", "describe", "lines"]

_FORMATS = {
    "bend": "our own (safetensors)",
    "delta": "a delta, bent minus base (safetensors)",
    "official": "official PyTorch pickle",
    "tensorflow": "official TensorFlow pickle",
    "rosinality": "rosinality (PyTorch file)",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a network file."""

    path: Path
    """The file."""
    num_bytes: int
    """Its size."""
    sha256: str
    """Checksum of the file."""
    format: str
    """`bend`, `delta`, `official`, `tensorflow` or `rosinality`; empty for a file that was refused."""
    refusal: str = ""
    """Why it was refused; empty if it was not."""
    networks: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    """By `G`, `D`, `G_ema`: keyword arguments (`init`), number of `parameters`, and `weights_sha256`."""
    meta: NetworkMeta = dataclasses.field(default_factory=NetworkMeta)
    """What the file says about its training."""
    base: Mapping[str, Any] | None = None
    """What a delta needs: `name` and `weights_sha256`."""
    executed: Executed | None = None
    """What an ordinary unpickler would run; None for a file that is not a pickle."""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**dataclasses.asdict(self), "path": str(self.path)}


def describe(path_or_name: str) -> Facts:
    """Describe a network file without running anything in it; a file that is refused is described as far as possible.

    Raises:
        CheckpointError: there is no such file, or it cannot be read from the disk.
        OSError: the same.
    """
    path = find_network(path_or_name)
    executed = find_executed(path) if is_legacy(path) else None
    facts = Facts(
        path=path, num_bytes=path.stat().st_size, sha256=file_sha256(path), format="", executed=executed
    )
    try:
        if is_delta(path):  # its weights are not to be had without the base
            reference = read_reference(path)
            base = {"name": reference.name, "weights_sha256": dict(reference.hashes)}
            return _with_network(dataclasses.replace(facts, base=base), outline_network(path), {})
        network = load_network(path)
        return _with_network(facts, network, fingerprints(network))
    except CheckpointError as error:
        return dataclasses.replace(facts, refusal=str(error))


def lines(facts: Facts) -> list[str]:
    """The facts for a person, a line each."""
    found = [f"{facts.path}: {_FORMATS.get(facts.format, 'refused')}, {facts.num_bytes / 1e6:.1f} MB"]
    found.append(f"  file SHA-256  {facts.sha256}")
    for name, part in facts.networks.items():
        found.append(f"  {name:<5}  {_outline(part['init'])}, {part['parameters']:,} parameters")
        if part["weights_sha256"]:
            found.append(f"         weights SHA-256  {part['weights_sha256']}")
    if facts.base is not None:
        found.append(f"  needs its base  {facts.base['name']}")
        found += [f"         {name} SHA-256  {text}" for name, text in facts.base["weights_sha256"].items()]
    meta = facts.meta
    said = {"base": meta.base if meta.base != "none" else "", "data": meta.data_name, "licence": meta.licence}
    if meta.kimg:
        said = {"trained for": f"{meta.kimg:g} kimg", **said}
    if meta.augment_p:
        said["augmentation p"] = f"{meta.augment_p:.3f}"
    found += [f"  {what}  {text}" for what, text in said.items() if text]
    return found + _executed_lines(facts.executed)


def _with_network(facts: Facts, network: Network, hashes: Mapping[str, str]) -> Facts:
    described = {
        name: {
            "init": part.init_kwargs,
            "parameters": sum(value.numel() for value in part.parameters()),
            "weights_sha256": hashes.get(name, ""),
        }
        for name, part in network.parts().items()
    }
    return dataclasses.replace(facts, format=network.format, networks=described, meta=network.meta)


def _outline(init: Mapping[str, Any]) -> str:
    synthesis = init.get("synthesis_kwargs", init)
    kind = synthesis.get("architecture") or ("skip" if "synthesis_kwargs" in init else "resnet")
    words = [f"{init['img_resolution']}×{init['img_resolution']}", f"{init['img_channels']} channels", kind]
    if "z_dim" in init:
        layers = init["mapping_kwargs"].get("num_layers", 8)
        words.append(f"z {init['z_dim']}, w {init['w_dim']}, {layers} mapping layers")
    words.append(f"labels of {init['c_dim']}" if init["c_dim"] else "unconditional")
    if synthesis.get("num_fp16_res"):
        words.append(f"{synthesis['num_fp16_res']} resolutions in half precision")
    return ", ".join(words)


def _executed_lines(executed: Executed | None) -> list[str]:
    if executed is None:
        return ["  runs nothing, whoever opens it"]
    called = [f"{name} ×{count}" for name, count in executed.calls.items() if count]
    found = [f"  elsewhere, opening it would call  {', '.join(called) or 'nothing'}"]
    if executed.sources:
        sizes = ", ".join(
            f"{size} bytes (SHA-256 {digest[:12]}…)" for digest, size in executed.sources.items()
        )
        found.append(f"  elsewhere, opening it would run Python source of  {sizes}")
    if executed.strange:
        found.append(f"  no StyleGAN2 file needs  {', '.join(executed.strange)}: do not open it elsewhere")
    return [*found, "  here, none of it is run"]
