"""Once before a training: native operations for its device, and the allocator where tensors lie in main memory."""

import pytest
import torch

from stylegan.training import readiness


@pytest.mark.parametrize(("device", "keeps_memory"), [("cpu", True), ("cuda", False), ("mps", False)])
def test_the_device_decides(monkeypatch: pytest.MonkeyPatch, device: str, keeps_memory: bool) -> None:
    calls: list[str] = []
    monkeypatch.setattr(readiness.native, "prepare", lambda kind, say: calls.append(kind))
    monkeypatch.setattr(readiness, "keep_freed_memory", lambda: calls.append("kept"))
    readiness.prepare_training(torch.device(device))
    assert calls == ([device, "kept"] if keeps_memory else [device])
