"""CUDA graphs as they are made: on which device and stream, and what is left where one cannot be made."""

import pytest
import torch

from stylegan import recording
from stylegan.recording import Recordings, record

pytestmark = pytest.mark.gpu


def _doubled(x: torch.Tensor) -> tuple[torch.Tensor, object]:
    """`x` doubled once by a recording, and the stream that is current afterwards."""
    result, replay = record(lambda: x * 2, x.device)
    replay()
    return result.cpu(), torch.cuda.current_stream(x.device)


def test_every_stream_has_recordings_of_its_own() -> None:
    x, side = torch.arange(4.0, device="cuda"), torch.cuda.Stream()
    results = [_doubled(x)]
    with torch.cuda.stream(side):
        side.wait_stream(torch.cuda.default_stream())
        results.append(_doubled(x))
    for (result, after), current in zip(results, (torch.cuda.default_stream(), side), strict=True):
        assert result.tolist() == [0, 2, 4, 6]
        assert after == current


def test_recordings_keep_one_workspace_of_cublas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_streams", {})
    x = torch.ones(256, 256, device="cuda")
    torch._C._cuda_clearCublasWorkspaces()
    before = torch.cuda.memory_allocated()
    product = x @ x
    with_one = torch.cuda.memory_allocated() - before
    recorded, replay = record(lambda: x @ x, x.device)
    assert torch.cuda.memory_allocated() - before < 1.5 * with_one
    replay()
    assert torch.equal(recorded, product)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="takes two GPUs")
def test_every_device_replays_its_own() -> None:
    for device in ("cuda:0", "cuda:1"):
        assert _doubled(torch.arange(4.0, device=device))[0].tolist() == [0, 2, 4, 6]
        assert torch.cuda.current_device() == 0


def test_work_goes_on_where_it_was_after_what_cannot_be_recorded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    x, before = torch.arange(4.0, device="cuda"), torch.cuda.current_stream()
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    recordings: Recordings[object] = Recordings(1)
    for _ in range(3):
        assert recordings.find("sum", lambda: record(lambda: x.sum().item(), x.device)) is None
    assert "not permitted" in caplog.text, "what went wrong, not what follows from it"
    assert torch.backends.cudnn.benchmark
    assert torch.cuda.current_stream() == before
    assert (x + 1).tolist() == [1, 2, 3, 4]
