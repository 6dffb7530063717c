"""Export as two ONNX graphs, `mapping` and `synthesis`, for any number of samples.

`mapping` takes z `[N, z_dim]` (and c `[N, c_dim]` of a conditional network) and truncation_psi (one number) and gives
ws `[N, num_ws, w_dim]`; `synthesis` takes those and gives images `[N, C, R, R]`, nominally in [-1, 1], with the
network's own noise. The graphs are traced from `module_source`, which is plain torch. Needs the extra `[onnx]`.
"""

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stylegan.atomic import atomic_path
from stylegan.checkpoint.export import module_source
from stylegan.checkpoint.export.plain import plain_copy
from stylegan.checkpoint.native import Network
from stylegan.errors import CheckpointError

__all__ = ["onnx_paths", "save_onnx"]

_OPSET = 18
_TRACED_SAMPLES = 2  # torch takes 1 for a constant


def onnx_paths(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The two files of an export to `faces.onnx`: `faces.mapping.onnx` and `faces.synthesis.onnx`."""
    whole = Path(path)
    return whole.with_suffix(".mapping.onnx"), whole.with_suffix(".synthesis.onnx")


def save_onnx(path: str | os.PathLike[str], network: Network, *, replace: bool = True) -> list[str]:
    """Write the averaged generator as two ONNX graphs, both whole or neither.

    Args:
        path: name that `onnx_paths` makes two of.
        network: what to write.
        replace: whether to replace files that exist by then.

    Returns:
        What the format cannot carry, a line each.

    Raises:
        CheckpointError: there is no generator, or the extra `[onnx]` is not installed.
        FileExistsError: there is one, and it is not to be replaced.
        OSError: a file cannot be written, or the disk is full.
    """
    _check_installed(Path(path).name)
    G = network.generator()
    plain = plain_copy(G, module_source.Generator).cpu()
    z = torch.zeros([_TRACED_SAMPLES, G.z_dim], device="cpu")
    c = torch.zeros([_TRACED_SAMPLES, G.c_dim], device="cpu")
    psi = torch.tensor(0.7, device="cpu")
    inputs = {"z": z} | ({"c": c} if G.c_dim else {}) | ({"truncation_psi": psi} if _truncates(plain) else {})
    mapping, synthesis = onnx_paths(path)
    ws = plain.mapping(z, c)
    with (  # named together, at the end
        atomic_path(mapping, replace=replace) as first,
        atomic_path(synthesis, replace=replace) as second,
    ):
        _export(first, _Mapping(plain.mapping, tuple(inputs)), inputs, "ws")
        _export(second, _Synthesis(plain.synthesis), {"ws": ws}, "img")
    notes = [
        "ONNX files hold the averaged generator with its constant noise: training cannot go on from them"
    ]
    if not _truncates(plain):
        notes.append("this network keeps no average of w: its mapping has no truncation_psi")
    return notes


class _Mapping(nn.Module):
    def __init__(self, mapping: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.mapping = mapping
        self.names = names

    def forward(self, *inputs: Tensor) -> Tensor:
        given = dict(zip(self.names, inputs, strict=True))
        ws: Tensor = self.mapping(given["z"], given.get("c"), truncation_psi=given.get("truncation_psi", 1))
        return ws


class _Synthesis(nn.Module):
    def __init__(self, synthesis: nn.Module) -> None:
        super().__init__()
        self.synthesis = synthesis

    def forward(self, ws: Tensor) -> Tensor:
        img: Tensor = self.synthesis(ws, noise_mode="const", force_fp32=True)
        return img


def _truncates(G: nn.Module) -> bool:
    return getattr(G.mapping, "w_avg", None) is not None


def _export(path: Path, module: nn.Module, inputs: dict[str, Tensor], output: str) -> None:
    batch = torch.export.Dim("batch", min=1)
    each = tuple({0: batch} if value.ndim else {} for value in inputs.values())
    shapes: Any = (each,) if isinstance(module, _Mapping) else each  # one entry for all of *inputs
    with _quiet(), torch.device("cpu"):  # whatever the caller's default
        program = torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes=shapes,
            dynamo=True,
            opset_version=_OPSET,
            verbose=False,
        )
    assert program is not None
    program.save(path, external_data=False)


def _check_installed(name: str) -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise CheckpointError(
            f"{name}: ONNX export needs the package {error.name}; run `pip install 'bend-gan[onnx]'`"
        ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter, which prints its progress and warns about its own internals."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
