"""ONNX graphs give what the network gives, for any number of samples."""

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stylegan.checkpoint import Network, NetworkMeta
from stylegan.checkpoint.export import onnx
from stylegan.checkpoint.export.onnx import onnx_paths, save_onnx
from stylegan.errors import CheckpointError
from tests.stylegan.checkpoint.legacy.writers import generator


def network(**changes: Any) -> Network:
    G = generator(0, **changes)
    for (
        name,
        parameter,
    ) in G.named_parameters():  # as large as training makes them, so that tolerances mean something
        if name.endswith("noise_strength"):
            parameter.fill_(0.1)
    return Network(G=None, D=None, G_ema=G, meta=NetworkMeta(), path=Path("x"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{}, {"c_dim": 3, "img_channels": 1, "img_resolution": 8}],
    ids=["plain", "conditional"],
)
def test_the_graphs_agree_with_the_network(tmp_path: Path, changes: dict[str, Any]) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    wrote = network(**changes)
    G = wrote.generator()
    with torch.device("meta"):  # the caller's default is no matter
        notes = save_onnx(tmp_path / "a.onnx", wrote)
    assert "constant noise" in notes[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mapping.onnx", "a.synthesis.onnx"]
    mapping, synthesis = map(runtime.InferenceSession, onnx_paths(tmp_path / "a.onnx"))
    for num, psi in ((1, 1.0), (2, 0.5), (5, 0.7)):
        z = torch.randn(num, G.z_dim)
        c = torch.eye(3)[torch.arange(num) % 3] if G.c_dim else None
        inputs = {"z": z.numpy(), "truncation_psi": np.array(psi, np.float32)}
        if c is not None:
            inputs["c"] = c.numpy()
        (ws,) = mapping.run(["ws"], inputs)
        expected = G.mapping(z, c, truncation_psi=psi)
        np.testing.assert_allclose(ws, expected.numpy(), atol=1e-5)
        (img,) = synthesis.run(["img"], {"ws": expected.numpy()})
        drawn = G.synthesis(expected, noise_mode="const").numpy()
        np.testing.assert_allclose(img, drawn, atol=1e-4 * max(1, np.abs(drawn).max()))


def test_without_the_extra_the_mend_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_onnx(name: str, *rest: Any) -> Any:
        if name == "onnx":
            raise ImportError("no module", name="onnx")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_onnx)
    with pytest.raises(
        CheckpointError, match=r"needs the package onnx; run `pip install 'bend-gan\[onnx\]'`"
    ):
        save_onnx(tmp_path / "a.onnx", network())


def test_a_graph_is_not_left_without_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def export(path: Path, module: Any, inputs: Any, output: str) -> None:
        path.write_bytes(b"graph")
        if output == "img":
            raise KeyboardInterrupt

    monkeypatch.setattr(onnx, "_check_installed", lambda name: None)
    monkeypatch.setattr(onnx, "_export", export)
    with pytest.raises(KeyboardInterrupt):
        save_onnx(tmp_path / "a.onnx", network())
    assert not list(tmp_path.iterdir())
